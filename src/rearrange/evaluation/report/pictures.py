"""Waveform and spectrogram of a side on the bar axis, so that source and result lie under each other bar by bar.

A column of a picture is a stretch of the axis, not of time: where a side is slower, its sound is drawn denser.
What lies outside a side's sound is left transparent.
Colours are matplotlib's magma, in nine of its colours: lightness grows evenly with the level, for any kind of
colour vision. The PNG is written here (a palette, zlib): 8 bits per pixel are all it needs.
Source: PNG specification, ISO/IEC 15948; magma: N. Smith and S. van der Walt, CC0.
"""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from rearrange.evaluation.report.axis import BarAxis
from rearrange.evaluation.report.sounds import HIGHEST_HZ, LOWEST_HZ, Picture

__all__ = ["frequency_marks", "png", "spectrogram_png", "waveform_path"]

N_COLUMNS = 1600  # a wide screen at its whole width; more is not seen, and costs by the column
RANGE_DB = 60.0  # of the spectrogram, below its loudest places
_TILT_DB_PER_OCTAVE = 3.0  # music falls by about as much: without it only the bass would be bright
_CONTRAST = 1.4  # leaves the brightest colours to what stands out
_TOP_RANGE_DB = 20.0  # a few places may be louder than the brightest colour, but not by more than this
_TRANSPARENT = 0
_MAGMA = ("000004", "1b1044", "4f127b", "812581", "b5367a", "e55964", "fb8761", "fec287", "fcfdbf")
_MARKS_HZ = (100, 1000, 10000)
WAVE_HEIGHT = 200  # units of the waveform's picture; full scale is half of it


def spectrogram_png(picture: Picture, axis: BarAxis, *, side: str) -> bytes:
    """A PNG, N_COLUMNS wide and a band per row, high frequencies on top."""
    edges = axis.column_edges_s(N_COLUMNS, side=side) * picture.frames_per_s
    power, inside = _column_means(picture.bands, edges)
    octaves = np.linspace(0.0, np.log2(HIGHEST_HZ / LOWEST_HZ), power.shape[1])
    level_db = 10 * np.log10(np.maximum(power, 1e-12)) + _TILT_DB_PER_OCTAVE * octaves
    heard = level_db[inside] if inside.any() else np.zeros(1)
    top = max(float(np.percentile(heard, 99.5)), float(heard.max()) - _TOP_RANGE_DB)
    share = np.clip(1 + (level_db - top) / RANGE_DB, 0.0, 1.0) ** _CONTRAST
    pixels = np.where(inside[:, None], 1 + np.round(share * 254), _TRANSPARENT).astype(np.uint8)
    return png(np.ascontiguousarray(pixels.T[::-1]), _palette())


def waveform_path(picture: Picture, axis: BarAxis, *, side: str) -> tuple[str, str]:
    """SVG paths of the samples' extent and of their RMS, in a box N_COLUMNS wide and WAVE_HEIGHT high."""
    edges = axis.column_edges_s(N_COLUMNS, side=side) * picture.peaks_per_s
    starts, ends, inside = _columns(edges, len(picture.highs))
    if not inside.any():
        return "", ""
    highs, lows = np.zeros(N_COLUMNS), np.zeros(N_COLUMNS)
    for column in np.flatnonzero(inside):
        highs[column] = picture.highs[starts[column] : ends[column]].max()
        lows[column] = picture.lows[starts[column] : ends[column]].min()
    squares, _ = _column_means(np.square(picture.rms)[:, None], edges)
    rms = np.sqrt(squares[:, 0])
    scale = WAVE_HEIGHT / 2 / max(float(highs.max()), float(-lows.min()), 1e-6)
    return _outline(highs, lows, scale, inside), _outline(rms, -rms, scale, inside)


def frequency_marks() -> list[tuple[str, float]]:
    """Labels of the spectrogram's height, and where they stand from its top, in [0, 1]."""
    span = np.log(HIGHEST_HZ / LOWEST_HZ)
    return [
        (f"{hz // 1000}k" if hz >= 1000 else f"{hz}", float(1 - np.log(hz / LOWEST_HZ) / span)) for hz in _MARKS_HZ
    ]


def png(pixels: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """A palette picture, (height, width) of indices into (n, 3) colours; colour 0 is transparent."""
    height, width = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels], axis=1)  # each row unfiltered

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            chunk(b"PLTE", palette.tobytes()),
            chunk(b"tRNS", b"\0"),
            chunk(b"IDAT", zlib.compress(rows.tobytes(), 6)),
            chunk(b"IEND", b""),
        ]
    )


def _palette() -> NDArray[np.uint8]:
    anchors = np.array([[int(colour[i : i + 2], 16) for i in (0, 2, 4)] for colour in _MAGMA])
    at = np.linspace(0, len(anchors) - 1, 255)
    colours = np.stack([np.interp(at, np.arange(len(anchors)), anchors[:, i]) for i in range(3)], axis=1)
    return np.concatenate([np.zeros((1, 3)), np.round(colours)]).astype(np.uint8)


def _columns(edges: NDArray[np.float64], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """First and last-plus-one of the n values in each column, at least one; and which columns hold any."""
    starts = np.clip(np.floor(edges[:-1]), 0, max(n - 1, 0)).astype(np.int64)
    ends = np.clip(np.ceil(edges[1:]), starts + 1, max(n, 1)).astype(np.int64)
    inside = (edges[1:] > 0) & (edges[:-1] < n) & (n > 0)
    return starts, np.maximum(ends, starts + 1), inside


def _column_means(
    values: NDArray[np.float32], edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Mean of the rows of `values` in each column, and which columns hold any."""
    starts, ends, inside = _columns(edges, len(values))
    total = np.zeros((len(values) + 1, values.shape[1]))
    np.cumsum(values, axis=0, dtype=np.float64, out=total[1:])
    means = np.zeros((len(starts), values.shape[1]))
    rows = np.flatnonzero(inside)
    means[rows] = (total[ends[rows]] - total[starts[rows]]) / (ends[rows] - starts[rows])[:, None]
    return np.maximum(means, 0.0), inside


def _outline(
    upper: NDArray[np.float64], lower: NDArray[np.float64], scale: float, inside: NDArray[np.bool_]
) -> str:
    columns = np.flatnonzero(inside)
    middle = WAVE_HEIGHT / 2
    there = [f"{column} {middle - upper[column] * scale:.0f}" for column in columns]
    back = [f"{column} {middle - lower[column] * scale:.0f}" for column in columns[::-1]]
    return f"M{'L'.join([*there, *back])}Z"

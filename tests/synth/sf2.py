"""Build a tiny but valid soundfont, so that no test depends on a font of the system.

    path = write_sf2(tmp_path / "tiny.sf2")                 # program 0 of bank 0, kit 0 of bank 128
    path = write_sf2(tmp_path / "tiny.sf3", vorbis=True)    # the same as SF3

Melodic presets are a looped tone, in tune, at full scale at velocity 127, that starts and stops at once (1 ms).
Drum kits (bank 128) are a 60 ms decaying tone burst at 1 kHz for every key. Stereo: both sides alike.
Source: SoundFont Technical Specification 2.04.
"""

import io
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 44100
CYCLE = 100  # samples: 441 Hz, 4 cents above A4
DRUM_BANK = 128

_ROOT, _CENTS = 69, -4
_SAMPLE_MODES, _SCALE_TUNING, _SAMPLE_ID, _INSTRUMENT, _OVERRIDE_ROOT = 54, 56, 53, 41, 58
_MONO, _VORBIS = 1, 0x10


def write_sf2(
    path: Path,
    *,
    presets: Sequence[tuple[int, int]] = ((0, 0), (DRUM_BANK, 0)),
    waveform: str = "sine",
    vorbis: bool = False,
) -> Path:
    """Write a font with one preset per (bank, program).

    Parameters
    ----------
    waveform : "sine" (starts at its crest, so that an onset is sharp) or "square", of the melodic presets
    vorbis : samples as Ogg Vorbis, i.e. an SF3
    """
    phase = np.arange(40 * CYCLE) / CYCLE
    tone = np.cos(2 * np.pi * phase) if waveform == "sine" else np.where(phase % 1 < 0.5, 1.0, -1.0)
    n = np.arange(SAMPLE_RATE // 10)
    burst = np.cos(2 * np.pi * 1000 * n / SAMPLE_RATE) * np.exp(-n / (0.012 * SAMPLE_RATE))
    samples = [tone, burst]
    loops = [(10 * CYCLE, 30 * CYCLE), (0, len(burst))]

    pool, headers = bytearray(), b""
    for sample, (loop_start, loop_end), name in zip(samples, loops, ("tone", "burst"), strict=True):
        start = len(pool) if vorbis else len(pool) // 2
        if vorbis:
            pool += _ogg(sample)
            end, loop = len(pool), (loop_start, loop_end)
        else:
            pool += (np.clip(sample, -1, 1) * 32767).astype("<i2").tobytes()
            end, loop = len(pool) // 2, (start + loop_start, start + loop_end)
            pool += bytes(2 * 46)
        headers += struct.pack(
            "<20sIIIIIBbHH", name.encode(), start, end, *loop, SAMPLE_RATE, _ROOT, _CENTS, 0,
            _MONO | (_VORBIS if vorbis else 0),
        )  # fmt: skip
    headers += struct.pack("<20sIIIIIBbHH", b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0)

    # Two instruments of one zone each: the looped tone, and the burst that ignores the key.
    instrument_generators = struct.pack("<HHHH", _SAMPLE_MODES, 1, _SAMPLE_ID, 0)
    instrument_generators += struct.pack("<HHHHHH", _SCALE_TUNING, 0, _OVERRIDE_ROOT, _ROOT, _SAMPLE_ID, 1)
    instrument_generators += bytes(4)
    instruments = b"".join(
        struct.pack("<20sH", name, bag) for name, bag in ((b"tone", 0), (b"burst", 1), (b"EOI", 2))
    )
    instrument_bags = struct.pack("<HHHHHH", 0, 0, 2, 0, 5, 0)

    preset_headers, preset_generators = b"", b""
    for i, (bank, program) in enumerate(presets):
        preset_headers += struct.pack("<20sHHHIII", f"b{bank}p{program}".encode(), program, bank, i, 0, 0, 0)
        preset_generators += struct.pack("<HH", _INSTRUMENT, int(bank == DRUM_BANK))
    preset_headers += struct.pack("<20sHHHIII", b"EOP", 0, 0, len(presets), 0, 0, 0)
    preset_bags = b"".join(struct.pack("<HH", i, 0) for i in range(len(presets) + 1))

    version = struct.pack("<HH", 3, 1) if vorbis else struct.pack("<HH", 2, 4)
    info = _chunk(b"ifil", version) + _chunk(b"isng", b"EMU8000\0") + _chunk(b"INAM", b"tiny\0\0")
    definitions = b"".join((
        _chunk(b"phdr", preset_headers),
        _chunk(b"pbag", preset_bags),
        _chunk(b"pmod", bytes(10)),
        _chunk(b"pgen", preset_generators + bytes(4)),
        _chunk(b"inst", instruments),
        _chunk(b"ibag", instrument_bags),
        _chunk(b"imod", bytes(10)),
        _chunk(b"igen", instrument_generators),
        _chunk(b"shdr", headers),
    ))  # fmt: skip
    body = b"sfbk" + _list(b"INFO", info) + _list(b"sdta", _chunk(b"smpl", bytes(pool)))
    path.write_bytes(_chunk(b"RIFF", body + _list(b"pdta", definitions)))
    return path


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _list(form: bytes, body: bytes) -> bytes:
    return _chunk(b"LIST", form + body)


def _ogg(sample: NDArray[np.float64]) -> bytes:
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, sample, SAMPLE_RATE, format="OGG", subtype="VORBIS")
    return buffer.getvalue()

"""Pictures lie where the bars are, on both sides."""

import io
import re

import av
import numpy as np
import pytest

from rearrange.evaluation.report import pictures, svg
from rearrange.evaluation.report.axis import BarAxis
from rearrange.evaluation.report.sounds import N_BANDS, Picture
from rearrange.score import Note, Role, Timeline, Track

# The result starts a second in and is half as fast in its own beats, of which two make one of the song.
AXIS = BarAxis(
    Timeline.constant(120.0, end_beat=16.0),
    Timeline.constant(120.0, end_beat=32.0, start_s=1.0),
    beat_ratio=2.0,
    source_s=8.5,
    result_s=17.0,
)


def test_both_sides_share_one_axis() -> None:
    assert AXIS.start_beat == pytest.approx(-1.0)  # the second before the result's first bar
    assert AXIS.end_beat == pytest.approx(17.0)
    assert float(AXIS.seconds(4.0, side="source")) == pytest.approx(2.0)
    assert float(AXIS.seconds(4.0, side="result")) == pytest.approx(5.0)
    assert float(AXIS.beats(5.0, side="result")) == pytest.approx(4.0)
    table = AXIS.table_beats()
    assert table[0] == AXIS.start_beat
    assert table[-1] == AXIS.end_beat
    assert np.all(np.diff(table) > 0)


def picture_of(loud_s: float, duration_s: float) -> Picture:
    """Silence, but for a tenth of a second."""
    rows = np.zeros(round(duration_s * 100), np.float32)
    rows[round(loud_s * 100) : round(loud_s * 100) + 10] = 1.0
    bands = np.zeros((round(duration_s * 20), N_BANDS), np.float32)
    bands[round(loud_s * 20) : round(loud_s * 20) + 2, 10] = 1.0
    return Picture(-rows, rows, rows, bands)


@pytest.mark.parametrize(("side", "loud_s", "duration_s"), [("source", 4.0, 8.5), ("result", 9.0, 17.0)])
def test_a_sound_is_drawn_at_its_bar(side: str, loud_s: float, duration_s: float) -> None:
    picture = picture_of(loud_s, duration_s)  # at beat 8 of the song on both sides
    expected = (8.0 + 1.0) / 18.0 * pictures.N_COLUMNS
    extent, rms = pictures.waveform_path(picture, AXIS, side=side)
    points = [tuple(map(float, point.split())) for point in re.findall(r"[\d.]+ [-\d.]+", extent)]
    loud = [x for x, y in points if y < 1]
    assert loud[0] == pytest.approx(expected, abs=2)
    assert rms.startswith("M")
    image = decoded(pictures.spectrogram_png(picture, AXIS, side=side))
    assert image.shape[:2] == (N_BANDS, pictures.N_COLUMNS)
    bright = np.flatnonzero(image[N_BANDS - 1 - 10, :, :3].sum(axis=1) > 300)
    assert bright[0] == pytest.approx(expected, abs=4)
    alpha = image[0, :, 3]
    assert alpha[0] == (0 if side == "source" else 255)  # the source begins a beat later
    assert alpha[pictures.N_COLUMNS // 2] == 255


def decoded(png: bytes) -> np.ndarray:
    with av.open(io.BytesIO(png), format="png_pipe") as container:
        (frame,) = container.decode(video=0)
        return frame.to_ndarray(format="rgba")


def test_a_picture_of_nothing_is_transparent() -> None:
    empty = Picture(*(np.zeros(0, np.float32),) * 3, bands=np.zeros((0, N_BANDS), np.float32))
    assert pictures.waveform_path(empty, AXIS, side="source") == ("", "")
    assert not decoded(pictures.spectrogram_png(empty, AXIS, side="source"))[..., 3].any()


def boxes(path: str) -> list[tuple[int, int, int]]:
    return [(int(x), int(y), int(w)) for x, y, w in re.findall(r"M(-?\d+) (\d+)h(\d+)", path)]


def test_the_same_notes_lie_at_the_same_place_in_both_rolls() -> None:
    heard = Track("lead", Role.MELODY, 0, False, (Note(4.0, 1.0, 72, 90), Note(-0.5, 0.5, 60, 90)))
    played = Track("lead", Role.MELODY, 0, False, (Note(8.0, 2.0, 72, 90), Note(-1.0, 1.0, 60, 90)))
    limits = svg.pitch_range([heard])
    assert limits == (60, 84)
    before, after = (
        svg.pitch_roll([track], AXIS, limits, beat_ratio=ratio) for track, ratio in ((heard, 1.0), (played, 2.0))
    )
    assert before == after
    ((role, path),) = before.paths
    assert role is Role.MELODY
    assert boxes(path) == [(5 * 24, 12 * svg.ROW, 24), (12, 24 * svg.ROW, 12)]
    assert [mark.label for mark in before.marks] == ["C4", "C5", "C6"]


def test_drums_have_a_row_each() -> None:
    kit = Track("kit", Role.DRUMS, 0, True, tuple(Note(0.0, 0.1, pitch, 90) for pitch in (36, 38, 42, 49, 76)))
    roll = svg.drum_roll([kit], AXIS, beat_ratio=1.0)
    rows = [y // svg.ROW for _, y, _ in boxes(roll.paths[0][1])]
    assert [svg.DRUM_ROWS[row][0] for row in rows] == ["kick", "snare", "hi-hat", "cymbals", "other"]
    assert svg.pitch_roll([kit], AXIS, (60, 72), beat_ratio=1.0).paths == ()


def test_tempo_and_bar_lines() -> None:
    limits = svg.tempo_range([AXIS.source, AXIS.result])
    assert limits[0] < 120 < limits[1]
    assert svg.tempo_line(AXIS.source, AXIS, limits, beat_ratio=1.0).count("L") == 3
    assert svg.bar_lines(AXIS, every=1) == "M24 0v1M120 0v1M216 0v1M312 0v1"
    assert svg.bar_lines(AXIS, every=4) == "M24 0v1"

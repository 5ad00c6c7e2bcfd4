"""What harmony is learnt from, and that the recipe learns it."""

from pathlib import Path

import numpy as np
import pytest

from rearrange.analysis.chroma import BeatChroma
from rearrange.analysis.progressions import NO_CHORD, QUALITIES
from rearrange.models.harmony import HarmonyConfig, Spans
from rearrange.score import CHORD_INTERVALS, Chord, Key
from rearrange.training.charts import Chart, read_billboard, read_openewld
from rearrange.training.harmony import figures
from rearrange.training.harmony_fits import Recipe, count_progressions, fit
from rearrange.training.harmony_takes import Example, paired, read_example, states_of, views, write_example

PROGRESSIONS = (((0, "maj"), (5, "maj"), (7, "7"), (0, "maj")), ((0, "min"), (5, "min"), (7, "maj"), (0, "min")))


def example(tonic: int, mode: int, *, name: str = "") -> Example:
    """Sixteen bars in some key, as notes; four bars of silence after them."""
    rng = np.random.default_rng([tonic, mode])
    treble, bass, chords = [], [], []
    for bar in range(16):
        root, quality = PROGRESSIONS[mode][bar % 4]
        root = (root + tonic) % 12
        row = np.zeros(12)
        row[[(root + interval) % 12 for interval in CHORD_INTERVALS[quality]]] = 1.0
        treble += [row + 0.1 * rng.random(12) for _ in range(4)]
        bass += [np.eye(12)[root]] * 4
        chords.append(Chord(4.0 * bar, 4.0, root, quality, root))
    silence = np.zeros((16, 12))
    states, low = states_of(chords, 80)
    return Example(
        songs=(name or f"made/{tonic}-{mode}",),
        kind="midi",
        sound=None,
        notes={"true": BeatChroma(np.concatenate([treble, silence]), np.concatenate([bass, silence]))},
        downbeats=np.arange(80) % 4 == 0,
        states=states,
        bass=low,
        key=Key(tonic, "minor" if mode else "major"),
    )


def test_beats_have_the_chord_that_fills_most_of_them() -> None:
    chords = [Chord(0.0, 1.6, 0, "maj9", 4), Chord(1.6, 1.4, 7, "7", 7), Chord(3.7, 1.0, 2, "5", 2)]
    states, bass = states_of(chords, 6)
    seventh = 7 * len(QUALITIES) + QUALITIES.index("7")
    assert states.tolist() == [QUALITIES.index("maj7"), QUALITIES.index("maj7"), seventh, -1, -1, NO_CHORD]
    assert bass.tolist() == [4, 4, 7, -1, -1, -1]


def test_a_pair_of_beats_has_a_chord_if_both_have_it() -> None:
    whole = example(0, 0)
    (_, spans), *_ = views(whole)
    joined, states, bass = paired(spans, whole.states, whole.bass, 1)
    assert len(states) == len(bass) == len(joined.downbeats) == 39
    assert states[:2].tolist() == [0, -1]  # beats 1 and 2 are C major; 3 is, and 4 is F major


def test_examples_are_read_as_they_were_written(tmp_path: Path) -> None:
    made = example(3, 1)
    write_example(tmp_path / "one.npz", made)
    read = read_example(tmp_path / "one.npz")
    assert (read.songs, read.kind, read.sound, read.key) == (made.songs, made.kind, None, made.key)
    np.testing.assert_array_equal(read.states, made.states)
    np.testing.assert_array_equal(read.notes["true"].bass, made.notes["true"].bass)


def test_a_chart_of_billboard_is_read(tmp_path: Path) -> None:
    path = tmp_path / "0001.txt"
    path.write_text(
        "# title: Made\n# metre: 4/4\n# tonic: G\n\n0.0\tsilence\n1.0\tA, intro, | G:maj | C:maj D:7 |, (piano\n"
        "5.0\tB, verse, | E:min . A:1 . | x2\n9.0\t| (3/4) G:maj |\n11.0\tend\n"
    )
    chart = read_billboard(path)
    assert chart is not None
    g, c, d, e = (root * len(QUALITIES) for root in (7, 0, 2, 4))
    seventh, minor = QUALITIES.index("7"), QUALITIES.index("min")
    bar = [e + minor, e + minor, -1, -1]
    assert chart.states.tolist() == [g] * 4 + [c] * 2 + [d + seventh] * 2 + bar * 2 + [g] * 3
    assert chart.sections == ((0, "A"), (8, "B"))
    assert np.flatnonzero(chart.keys.any(axis=1)).tolist() == [7]
    path.write_text(path.read_text() + "# tonic: A\n")
    assert read_billboard(path) is None


def test_a_lead_sheet_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sheet.musicxml"
    note = "<note><pitch><step>{}</step><octave>5</octave></pitch><duration>4</duration></note>"
    chord = "<harmony><root><root-step>{}</root-step></root><kind>{}</kind></harmony>"
    path.write_text(
        "<score-partwise><part><measure><attributes><divisions>2</divisions><key><fifths>1</fifths></key>"
        f"</attributes>{chord.format('G', 'major')}{note.format('B')}"
        f"{chord.format('E', 'minor')}{note.format('E')}"
        "</measure></part></score-partwise>"
    )
    chart = read_openewld(path)
    assert chart is not None
    assert chart.states.tolist() == [70, 70, 41, 41]
    assert chart.melody.argmax(axis=1).tolist() == [11, 11, 4, 4]
    assert [tuple(key) for key in np.argwhere(chart.keys)] == [(4, 1), (7, 0)]  # E minor and G major


def test_progressions_are_counted_in_their_key() -> None:
    fifth, fourth = 7 * len(QUALITIES) + QUALITIES.index("7"), 5 * len(QUALITIES)
    counted = count_progressions([example(2, 0), example(9, 0)], [], Recipe())
    assert counted["progressions"][0, fourth].argmax() == fifth
    assert counted["progressions"][0, fifth].argmax() == 0
    downbeat, middle, elsewhere = counted["changes"]
    assert downbeat > 0.6
    assert max(middle, elsewhere) < 0.1
    states = np.repeat([3 * len(QUALITIES), 10 * len(QUALITIES)], 4)
    keys = np.zeros((12, 2), dtype=bool)
    keys[3] = True  # E flat, major or minor: its chord is major
    chart = Chart("made", states, np.arange(8) % 4 == 0, np.zeros((8, 12)), keys, ())
    assert count_progressions([], [chart], Recipe())["progressions"][0, 0].argmax() == 7 * len(QUALITIES)


def test_a_model_learns_what_it_is_taught() -> None:
    taught = [example(tonic, mode) for tonic in range(0, 12, 2) for mode in (0, 1)]
    model = fit(taught, [], HarmonyConfig(width=16), Recipe(steps=60, batch=64, rate=1e-2))
    again = fit(taught, [], HarmonyConfig(width=16), Recipe(steps=60, batch=64, rate=1e-2))
    assert all(np.array_equal(model.weights[name], again.weights[name]) for name in model.weights)
    new = [example(tonic, mode) for tonic in (1, 5, 9) for mode in (0, 1)]
    _, line = figures(model, new)
    triads, _, bass, key = (float(word) for word in line.split()[-5:-1])
    assert triads > 0.9
    assert bass > 0.9
    assert key == pytest.approx(1.0)
    notes = new[0].notes["true"]
    assert model.hear(Spans(None, notes, new[0].downbeats), np.arange(81.0)).key.tonic == 1

from collections.abc import Sequence
from dataclasses import replace

import pytest

from rearrange.evaluation.report.changes import changes
from rearrange.evaluation.report.drumming import drum_phrases
from rearrange.evaluation.report.facts import Change
from rearrange.evaluation.report.playing import bass_phrases, chord_phrases
from rearrange.evaluation.report.stretches import Onsets, Side, onsets_of, stretches
from rearrange.evaluation.report.summary import summary
from rearrange.evaluation.report.tune import tune_change
from rearrange.genre import genre_names, load_genre
from rearrange.score import Arrangement, Chord, Metre, Note, Role, Score, Timeline, Track, sorted_notes
from rearrange.stages.arrange import ArrangeSettings, arrange
from tests.songs import band_song

SONG = band_song(n_bars=16)


def as_it_is(score: Score) -> Arrangement:
    """An arrangement that changes nothing."""
    return Arrangement(
        score.timeline, "x", "y", score.key, score.chords, score.sections, score.tracks, seed=0
    )  # fmt: skip


def with_track(arrangement: Arrangement, track: Track) -> Arrangement:
    others = [each for each in arrangement.tracks if each.role is not track.role]
    return replace(arrangement, tracks=(*others, track))


def texts(found: Sequence[Change], role: str | None = None) -> str:
    return "\n".join(change.text for change in found if role is None or change.role == role)


def onsets(
    hits: Sequence[tuple[float, int]], *, n_bars: int = 8, duration_beat: float = 0.25, metre: Metre = Metre()
) -> Onsets:
    """The same bar of (beat, pitch) over and over."""
    bar = metre.beats_per_bar
    notes = sorted_notes([Note(i * bar + at, duration_beat, p, 90) for i in range(n_bars) for at, p in hits])
    score = band_song(n_bars=n_bars, metre=metre, sections=[("A", n_bars, 0.5)])
    side = Side(score.tracks, score.timeline, score.chords)
    return onsets_of(notes, side, stretches(score)[0])


def test_what_is_left_as_it_is_is_not_said() -> None:
    assert changes(SONG, as_it_is(SONG), instruments_known=True) == ()


def test_stretches_are_sections_and_long_ones_are_cut_in_eights() -> None:
    song = band_song(sections=[("intro", 3, 0.2), ("A", 19, 0.5), ("B", 16, 0.5)])
    assert [(s.first_bar, s.last_bar) for s in stretches(song)] == [(1, 3), (4, 11), (12, 22), (23, 38)]
    assert stretches(replace(SONG, sections=()))[0].last_bar == 16


@pytest.mark.parametrize(
    ("hits", "words"),
    [
        ([(0, 36), (1, 36), (2, 36), (3, 36)], "four-on-the-floor kick"),
        ([(2, 36), (2, 37)], "one-drop kick on 3"),
        ([(1, 36), (1, 37), (3, 36), (3, 37)], "one-drop kick on 2 and 4"),
        ([(i / 4, 36) for i in range(16)], "double kick in sixteenths"),
        ([(0, 36), (1.5, 36), (2, 36), (3.5, 36)], "kick on 1 and 3 with syncopation"),
        ([(0, 36), (2, 36), (1, 38), (3, 38)], "snare back-beat on 2 and 4"),
        ([(0, 36), (2, 38)], "half-time snare on 3"),
        ([(0, 36), (1, 37), (3, 37)], "side-stick back-beat on 2 and 4"),
        ([(i / 4, 38) for i in range(16)], "snare all through the bar"),
        ([(i / 2, 42) for i in range(8)], "hat in eighths"),
        ([(i / 4, 42) for i in range(16)], "hat in sixteenths"),
        ([(float(i), 51) for i in range(4)], "ride in quarters"),
        ([(i + 0.5, 46) for i in range(4)], "open hat on the off-beats"),
        ([(0, 51), (1, 51), (1.67, 51), (2, 51), (3, 51), (3.67, 51)], "ride in the swing pattern"),
    ],
)
def test_drum_patterns_have_their_names(hits: list[tuple[float, int]], words: str) -> None:
    assert words in drum_phrases(onsets(hits))


def test_drums_of_three_four_and_six_eight_are_counted_in_their_metre() -> None:
    waltz = onsets([(0, 36), (1, 38), (2, 38)], metre=Metre(3, 4))
    assert {"kick on 1", "snare on 2 and 3"} <= set(drum_phrases(waltz))
    six = onsets([(0, 36), (1.5, 38)], metre=Metre(6, 8))
    assert {"kick on 1", "snare on 4"} <= set(drum_phrases(six))


CHORDS = tuple(Chord(4.0 * i, 4.0, 0, "maj", 0) for i in range(8))


@pytest.mark.parametrize(
    ("hits", "duration_beat", "words"),
    [
        ([(0, 36), (1, 40), (2, 43), (3, 40)], 1.0, "walking bass in quarters"),
        ([(i / 2, 36) for i in range(8)], 0.5, "roots in eighths"),
        ([(i / 2, 36 + 12 * (i % 2)) for i in range(8)], 0.5, "octaves in eighths"),
        ([(0, 36)], 4.0, "long roots"),
        ([(0, 36), (2, 43)], 1.0, "roots and fifths on 1 and 3"),
        ([(0, 36), (1.5, 36), (2.75, 36)], 0.5, "syncopated roots"),
        ([(0, 36), (1.5, 43), (2, 43), (3.5, 36)], 0.5, "roots and fifths on 1 and 3 with pickups"),
    ],
)
def test_bass_lines_have_their_names(hits: list[tuple[float, int]], duration_beat: float, words: str) -> None:
    assert bass_phrases(onsets(hits, duration_beat=duration_beat), CHORDS) == (words,)


TRIAD = (60, 64, 67)


@pytest.mark.parametrize(
    ("beats", "duration_beat", "words"),
    [
        ([0.0], 4.0, "held chords"),
        ([0.5, 1.5, 2.5, 3.5], 0.2, "off-beat chops"),
        ([1.0, 3.0], 0.2, "short chords on 2 and 4"),
        ([1.5, 3.5], 0.2, "sparse off-beat stabs"),
        (
            [i + at for i in range(4) for at in (0.25, 0.5, 0.75)],
            0.2,
            "short chords in sixteenths between the beats",
        ),
        ([0.0, 1.0, 2.0, 3.0], 0.9, "chords in quarters"),
        ([0.0, 1.5, 2.75], 0.3, "syncopated stabs"),
    ],
)
def test_comping_has_its_names(beats: list[float], duration_beat: float, words: str) -> None:
    hits = [(beat, pitch) for beat in beats for pitch in TRIAD]
    assert chord_phrases(onsets(hits, duration_beat=duration_beat)) == (words,)


def test_single_notes_are_broken_chords() -> None:
    assert chord_phrases(onsets([(i / 2, 60 + i) for i in range(8)])) == ("broken chords in eighths",)


def test_tempo_and_swing_are_said_with_their_figures() -> None:
    swung = sorted_notes(
        [Note(i + at, 0.2, 51, 90) for i in range(64) for at in (0.0, 2 / 3)]
        + [Note(i * 4.0, 0.2, 36, 90) for i in range(16)]
    )
    faster = replace(
        with_track(as_it_is(SONG), Track("drums", Role.DRUMS, 40, True, swung)),
        timeline=Timeline.constant(140.0, end_beat=64.0),
    )
    found = changes(SONG, faster)
    assert found[0] == Change(1, 16, "110 → 140 bpm; swing 67 %")
    assert "on brushes" in texts(found, "drums")


def test_double_time_says_how_fast_the_song_itself_goes() -> None:
    score = band_song(tempo_bpm=60.0)
    arranged = arrange(score, load_genre("disco"), ArrangeSettings())
    assert arranged.beat_ratio == 2.0
    assert "double time: 60 → " in texts(changes(score, arranged), "")


def test_the_tune_says_instrument_octave_and_what_was_lost() -> None:
    melody = SONG.track(Role.MELODY)
    assert melody is not None
    lower = tuple(replace(note, pitch=note.pitch - 12) for note in melody.notes[:-4])
    found = changes(SONG, with_track(as_it_is(SONG), replace(melody, program=65, notes=lower)))
    assert texts(found, "melody") == "on alto sax, an octave lower; 44 of 48 notes kept"
    known = changes(SONG, with_track(as_it_is(SONG), replace(melody, program=65)), instruments_known=True)
    assert texts(known, "melody") == "on alto sax instead of flute"


def test_delay_anticipation_and_ornaments_are_counted() -> None:
    song = [Note(float(i), 0.9, 60 + i, 90) for i in range(16)]
    late = [replace(note, onset_beat=note.onset_beat + 0.05) for note in song[1:]]
    result = sorted_notes([replace(song[0], onset_beat=-0.5), *late, Note(3.9, 0.1, 61, 60)])
    ours = Side((), Timeline.constant(60.0, end_beat=16.0), ())
    change = tune_change(song, result, ours)
    assert change is not None
    assert (change.n_kept, change.n_anticipated, change.n_ornaments, change.n_other) == (16, 1, 1, 0)
    assert change.delay_ms == pytest.approx(50.0, abs=1.0)


def test_a_kept_voice_and_a_tune_left_out_are_told_apart() -> None:
    without = replace(as_it_is(SONG), tracks=SONG.tracks[1:])
    assert texts(changes(SONG, without), "melody") == "the tune is left out"
    kept = replace(without, kept_stems=("vocals",))
    assert texts(changes(SONG, kept), "melody") == "the song's own voice is kept"


def test_a_colour_is_said_only_if_it_sounds() -> None:
    said = tuple(replace(chord, quality="maj7") if chord.root == 0 else chord for chord in SONG.chords)
    silent = replace(as_it_is(SONG), chords=said)
    assert "Cmaj7" not in texts(changes(SONG, silent), "chords")
    harmony = SONG.track(Role.CHORDS)
    assert harmony is not None
    sevenths = [Note(chord.onset_beat, 4.0, 71, 70) for chord in SONG.chords if chord.root == 0]
    heard = with_track(silent, replace(harmony, notes=sorted_notes([*harmony.notes, *sevenths])))
    assert "C → Cmaj7" in texts(changes(SONG, heard), "chords")


def test_a_part_that_rests_or_joins_is_said_with_its_bars() -> None:
    drums = SONG.track(Role.DRUMS)
    assert drums is not None
    verse_only = replace(drums, notes=tuple(note for note in drums.notes if note.onset_beat < 32))
    pad = Track("pad", Role.PAD, 89, False, tuple(Note(4.0 * i, 4.0, p, 50) for i in range(8, 16) for p in TRIAD))
    arranged = with_track(with_track(as_it_is(SONG), verse_only), pad)
    found = changes(SONG, arranged)
    assert Change(9, 16, "the drums rest", "drums") in found
    assert Change(9, 16, "with warm pad (held chords)", "") in found


def test_chords_may_be_left_to_an_arpeggio() -> None:
    eighths = tuple(Note(i / 2, 0.5, TRIAD[i % 3], 70) for i in range(128))
    arranged = replace(
        as_it_is(SONG),
        tracks=(
            *(t for t in SONG.tracks if t.role is not Role.CHORDS),
            Track("a", Role.ARPEGGIO, 24, False, eighths),
        ),
    )
    found = changes(SONG, arranged)
    assert Change(1, 16, "chords left to nylon guitar", "chords") in found
    assert Change(1, 16, "with nylon guitar (broken chords in eighths)", "") in found


def test_what_comes_back_is_said_once() -> None:
    song = band_song(sections=[("A", 8, 0.5), ("B", 8, 0.5), ("A", 8, 0.5), ("B", 8, 0.5)])
    bass = song.track(Role.BASS)
    assert bass is not None
    eighths = [
        Note(8 * 4 * block + i / 2, 0.5, 36 + song.chords[8 * block + i // 8].root, 90)
        for block in (1, 3)
        for i in range(64)
    ]
    outside = [note for note in bass.notes if note.onset_beat // 32 in (0, 2)]
    arranged = with_track(as_it_is(song), replace(bass, notes=sorted_notes([*outside, *eighths])))
    found = [change for change in changes(song, arranged, instruments_known=True) if change.role == "bass"]
    assert found == [Change(9, 16, "roots on 1 and 3 → roots in eighths; again in bars 25–32", "bass")]


@pytest.mark.parametrize("metre", [Metre(), Metre(3, 4), Metre(6, 8)])
def test_every_genre_is_told_briefly_and_inside_the_song(metre: Metre) -> None:
    song = band_song(metre=metre)
    for name in genre_names():
        genre = load_genre(name)
        arranged = arrange(song, genre, ArrangeSettings(seed=1))
        found = changes(song, arranged)
        assert found
        assert all(1 <= change.first_bar <= change.last_bar <= 16 and change.text for change in found)
        assert len(found) <= 4 * len(song.sections) + 7
        sentences = summary(song, arranged, genre)
        assert genre.title in " ".join(sentences)
        assert "16 bars of" in sentences[0]


def test_songs_that_are_hardly_songs_are_told_too() -> None:
    bar = Timeline.constant(100.0, end_beat=4.0)
    empty = Score(bar, SONG.key, (), (), ())
    nothing = Arrangement(bar, "x", "y", SONG.key, (), (), (), seed=0)
    assert changes(empty, nothing) == ()
    one = replace(nothing, tracks=(Track("melody", Role.MELODY, 0, False, (Note(0.0, 1.0, 60, 90),)),))
    assert changes(empty, one) == ()
    assert "The song: 1 bar of 4/4, C major, 100 bpm." in summary(empty, one, load_genre("jazz"))
    drums_only = replace(empty, tracks=(Track("drums", Role.DRUMS, 0, True, (Note(0.0, 0.2, 36, 90),)),))
    assert texts(changes(drums_only, nothing)) == "without drums"


def test_how_sure_the_tune_was_heard_is_said() -> None:
    melody = SONG.track(Role.MELODY)
    assert melody is not None
    unsure = replace(melody, confidence=0.47)
    others = tuple(track for track in SONG.tracks if track.role is not Role.MELODY)
    heard = replace(SONG, tracks=(unsure, *others))
    told = " ".join(summary(heard, as_it_is(heard), load_genre("jazz")))
    assert "All 48 notes that were heard of the tune are there. They were heard with a confidence of 47%." in told
    known = " ".join(summary(SONG, as_it_is(SONG), load_genre("jazz")))
    assert "of the tune are there." in known
    assert "confidence" not in known


def test_a_doubtful_metre_is_admitted() -> None:
    doubtful = replace(SONG, timeline=replace(SONG.timeline, confidence=0.29))
    told = summary(doubtful, as_it_is(doubtful), load_genre("jazz"))
    assert "hard to hear (confidence 29%)" in told[1]
    assert "rearrange analyse" in told[1]
    assert "hard to hear" not in " ".join(summary(SONG, as_it_is(SONG), load_genre("jazz")))

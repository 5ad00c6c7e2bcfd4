"""Words of charts and parts: what is read is written again, figures are the same over each chord, time stays."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearrange.arranger.charts import Chart, make_chart
from rearrange.arranger.header import Header, Player, encode_header
from rearrange.arranger.tokens import decode, encode, is_predicted
from rearrange.arranger.vocabulary import (
    BEAT,
    DRUM_KIN,
    ID,
    MOST_BEATS,
    TYPE_OF,
    TYPES,
    VOCABULARY,
    density_bin,
    energy_bin,
    root_shift,
    snapped,
    tempo_bin,
    velocity_bin,
)
from rearrange.general_midi import DRUM_PITCHES
from rearrange.genre import genre_names
from rearrange.score import CHORD_INTERVALS, Chord, Key, Metre, Note, Role, Score, Section, Timeline, Track

N_BARS = 4
PLAYERS = {role: Player(0, 1.0) for role in Role if role is not Role.MELODY}


def _score(chords: tuple[Chord, ...], metre: Metre = Metre(), tune: tuple[Note, ...] = ()) -> Score:
    end = N_BARS * metre.beats_per_bar
    tracks = (Track("melody", Role.MELODY, 73, False, tune),)
    timeline = Timeline.constant(120.0, end_beat=end, metre=metre)
    return Score(timeline, Key(2, "major"), chords, (Section(0.0, end, "A", 0.5),), tracks)


def _chart(chords: tuple[Chord, ...], metre: Metre = Metre()) -> Chart:
    return make_chart(_score(chords, metre))


def _words(bars: list[list[int]]) -> str:
    return " ".join(VOCABULARY[number] for bar in bars for number in bar)


CHORDS = tuple(
    Chord(4.0 * i, 4.0, root, quality, root)
    for i, (root, quality) in enumerate([(2, "maj"), (11, "min7"), (7, "maj7"), (9, "7")])
)
notes = st.builds(
    Note,
    st.floats(0.0, 15.9),
    st.floats(0.02, 9.0),
    st.integers(28, 100),
    st.integers(1, 127),
)
hits = st.builds(Note, st.floats(0.0, 15.9), st.just(0.25), st.sampled_from(sorted(DRUM_KIN)), st.integers(1, 127))


def test_every_word_is_once_in_the_vocabulary() -> None:
    assert len(set(VOCABULARY)) == len(VOCABULARY) < 2**16
    assert [VOCABULARY[ID[word]] for word in VOCABULARY] == list(VOCABULARY)
    assert all(re.fullmatch(r"[A-Z][A-Za-z]+_\S+", word) for word in VOCABULARY)
    assert [TYPES[kind] for kind in TYPE_OF] == [word.split("_")[0] for word in VOCABULARY]
    assert set(DRUM_PITCHES.values()) <= set(DRUM_KIN)


@given(st.floats(-50.0, 5000.0))
def test_an_onset_keeps_its_time_to_a_ninety_sixth_of_a_beat(onset_beat: float) -> None:
    position, micro = snapped(onset_beat)
    heard = (2 * position + micro) / (2 * BEAT)
    assert abs(heard - onset_beat) <= 1 / (4 * BEAT) + 1e-9
    assert snapped(heard) == (position, micro)
    for beat in range(MOST_BEATS):
        at = position % BEAT + BEAT * beat
        assert f"Position_{at}" in ID
    assert not micro or f"MicroTiming_{micro}" in ID


@pytest.mark.parametrize(("beat", "position"), [(0.5, 12), (2 / 3, 16), (1 / 3, 8), (0.27, 6), (1.98, 48)])
def test_beats_are_where_a_musician_would_write_them(beat: float, position: int) -> None:
    assert snapped(beat)[0] == position


@settings(max_examples=60)
@given(st.lists(notes, max_size=25), st.lists(hits, max_size=25))
def test_what_is_read_is_written_again(pitched: list[Note], struck: list[Note]) -> None:
    chart, key = _chart(CHORDS), Key(2, "major")
    tracks = [
        Track("chords", Role.CHORDS, 0, False, tuple(pitched)),
        Track("drums", Role.DRUMS, 0, True, tuple(struck)),
    ]
    written = encode(chart, tracks, key=key, chords=CHORDS)
    read = decode(written, chart, key=key, chords=CHORDS, players=PLAYERS)
    assert encode(chart, read, key=key, chords=CHORDS) == written
    again = decode(written, chart, key=key, chords=CHORDS, players=PLAYERS)
    assert again == read
    for track in read:
        assert all(0 <= note.pitch <= 127 and 1 <= note.velocity <= 127 for note in track.notes)
    drums = next((track for track in read if track.role is Role.DRUMS), None)
    inside = [hit for hit in struck if snapped(hit.onset_beat)[0] < 16 * BEAT]
    assert {DRUM_KIN[hit.pitch] for hit in inside} == {hit.pitch for hit in (drums.notes if drums else ())}


def test_a_part_survives_but_for_rounding() -> None:
    played = (Note(0.01, 1.0, 50, 80), Note(4.52, 0.5, 47, 100), Note(11.99, 3.9, 45, 64))
    bass = Track("bass", Role.BASS, 33, False, played)
    chart, key = _chart(CHORDS), Key(2, "major")
    written = encode(chart, [bass], key=key, chords=CHORDS)
    (read,) = decode(written, chart, key=key, chords=CHORDS, players={Role.BASS: Player(33, 1.0)})
    assert read.program == 33
    assert [note.pitch for note in read.notes] == [50, 47, 45]
    for note, own in zip(read.notes, played, strict=True):
        assert note.onset_beat == pytest.approx(own.onset_beat, abs=1 / 96 + 1e-9)
        assert note.duration_beat == pytest.approx(own.duration_beat, rel=0.15)
        assert abs(note.velocity - own.velocity) <= 8
    # A note just before a bar line belongs to the bar that it leads into.
    assert "Position_0 MicroTiming_-" not in _words(written[:3])
    assert "Track_bass Position_0" in _words(written[3:])


@given(st.integers(0, 11), st.sampled_from(sorted(CHORD_INTERVALS)))
def test_a_figure_is_the_same_words_over_every_chord(root: int, quality: str) -> None:
    def words(chord_root: int) -> str:
        chords = (Chord(0.0, 16.0, chord_root, quality, chord_root),)
        figure = tuple(Note(i * 0.5, 0.5, 48 + root_shift(chord_root) + i, 80) for i in range(5))
        track = Track("bass", Role.BASS, 33, False, figure)
        written = encode(_chart(chords), [track], key=Key(chord_root, "major"), chords=chords)
        return _words(written)

    assert words(root) == words(0)


def test_a_chart_says_chords_look_ahead_and_tune() -> None:
    tune = (Note(0.0, 1.0, 66, 80), Note(1.0, 2.0, 69, 80))
    chords = (*CHORDS[:1], replace(CHORDS[1], onset_beat=4.0, bass=2), *CHORDS[2:])
    chart = make_chart(_score(chords, tune=tune))
    first, second = (_words([bar]) for bar in encode(chart, [], key=Key(2, "major"), chords=chords)[:2])
    assert "Position_0 ChordRoot_0 ChordQuality_maj Next_None ChordRoot_9 ChordQuality_min7" in first
    assert first.endswith("Tune_4 Tune_7 Tune_7 Tune_rest TuneNotes_1")
    assert "ChordRoot_9 ChordQuality_min7 ChordBass_0 Next_None ChordRoot_5 ChordQuality_maj7" in second
    assert second.endswith("Tune_rest Tune_rest Tune_rest Tune_rest TuneNotes_0")


def test_a_model_writes_parts_and_their_end_alone() -> None:
    drums = Track("drums", Role.DRUMS, 0, True, (Note(0.0, 0.25, 36, 100), Note(1.0, 0.25, 38, 100)))
    header = encode_header(Header(3, Metre(), 120.0, "minor", {Role.DRUMS: Player(0, 0.5)}))
    first, second, *_ = encode(_chart(CHORDS), [drums], key=Key(2, "major"), chords=CHORDS)
    ids = [*header, *first, ID["Target_None"], *second, ID["EOS_None"]]
    said = [VOCABULARY[number] for number, own in zip(ids, is_predicted(ids), strict=True) if own]
    assert said == ["Track_drums", "Position_0", "Hit_36.6", "Position_24", "Hit_38.6", "EOS_None"]
    assert not is_predicted([]).size


def test_a_header_names_who_plays_in_order() -> None:
    players = {Role.DRUMS: Player(16, 2.5), Role.BASS: Player(33, 0.1)}
    words = [VOCABULARY[number] for number in encode_header(Header(None, Metre(3, 4), 90.0, "major", players))]
    assert words[:3] == ["BOS_None", "Genre_None", "TimeSig_3/4"]
    assert words[5:] == ["Track_bass", "Program_33", "Density_0", "Track_drums", "Program_16", "Density_3"]
    assert len(genre_names()) <= sum(word.startswith("Genre_") for word in VOCABULARY) - 1


def test_what_has_no_word_is_said_so() -> None:
    seven = Metre(7, 4)
    with pytest.raises(ValueError, match="7/4 cannot be written"):
        encode_header(Header(None, seven, 120.0, "major"))
    with pytest.raises(ValueError, match="too long"):
        encode(_chart((), seven), [], key=Key(0, "major"), chords=())
    with pytest.raises(ValueError, match="genre 99"):
        encode_header(Header(99, Metre(), 120.0, "major"))
    with pytest.raises(ValueError, match="melody"):
        encode_header(Header(0, Metre(), 120.0, "major", {Role.MELODY: Player(0, 1.0)}))
    twice = [Track("a", Role.PAD, 0, False, ()), Track("b", Role.PAD, 0, False, ())]
    with pytest.raises(ValueError, match="once"):
        encode(_chart(CHORDS), twice, key=Key(2, "major"), chords=CHORDS)
    words = [ID["Track_bass"], ID["Pitch_40"]]
    with pytest.raises(ValueError, match="stands where"):
        decode([words], _chart(CHORDS), key=Key(2, "major"), chords=CHORDS, players=PLAYERS)
    with pytest.raises(ValueError, match="no bar 4"):
        decode([[]] * 5, _chart(CHORDS), key=Key(2, "major"), chords=CHORDS, players=PLAYERS)


def test_bins_rise_and_end() -> None:
    for binned, values in [
        (tempo_bin, np.linspace(1, 500, 200)),
        (density_bin, np.linspace(0, 9, 50)),
        (energy_bin, np.linspace(-0.2, 1.2, 50)),
        (velocity_bin, np.arange(1, 128)),
    ]:
        bins = [binned(float(value)) for value in values]
        assert bins == sorted(bins)
        assert bins[0] == 0
    assert (tempo_bin(240.0), density_bin(9.0), energy_bin(1.0), velocity_bin(127)) == (15, 4, 4, 7)

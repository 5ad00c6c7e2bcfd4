"""MIDI files: laws of the round trip, what a DAW needs to find, and files from the wild."""

import io
import struct
import subprocess
import sys
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearrange.errors import MidiFormatError, OutputError
from rearrange.midi import read_midi, read_performance, write_arrangement, write_performance, write_score
from rearrange.midi.events import parse_midi
from rearrange.midi.tempo import TICKS_PER_BEAT, Lead, lead_for, tempo_map
from rearrange.midi.text import chord_markers, key_from_sharps, key_name, parse_chords
from rearrange.score import (
    CHORD_INTERVALS,
    Arrangement,
    Chord,
    Key,
    Metre,
    Note,
    NoteEvent,
    Part,
    Performance,
    Role,
    Score,
    Section,
    Timeline,
    Track,
    sorted_notes,
)

DRIFTING = Timeline(
    tuple(float(beat) for beat in range(33)),
    tuple(float(t) for t in 0.37 + np.cumsum([0.0, *(0.5 + 0.03 * np.sin(np.arange(32)))])),
    ((0.0, Metre(4, 4)),),
    32.0,
)
MELODY = Track("Lead", Role.MELODY, 65, False, (Note(-0.5, 0.5, 67, 90), Note(0.0, 1.0, 60, 80)), 0.7)
DRUMS = Track("Drums", Role.DRUMS, 0, True, (Note(0.0, 0.25, 36, 100), Note(1.0, 0.25, 38, 99)))
CHORDS = (Chord(0.0, 4.0, 9, "min7", 9), Chord(4.0, 4.0, 7, "7", 11), Chord(12.0, 4.0, 0, "maj", 0))
SECTIONS = (Section(0.0, 8.0, "A", 0.5), Section(8.0, 24.0, "chorus", 0.5))


def score(timeline: Timeline = DRIFTING, tracks: tuple[Track, ...] = (MELODY, DRUMS)) -> Score:
    return Score(timeline, Key(9, "minor"), CHORDS, SECTIONS, tracks, title="Lied ohne Wörter")


def arrangement(tracks: tuple[Track, ...], timeline: Timeline = DRIFTING) -> Arrangement:
    return Arrangement(timeline, "any", "plain", Key(9, "minor"), CHORDS, SECTIONS, tracks, seed=1)


def midi_bytes(*tracks: list[object], ticks: int = 480, kind: int = 1) -> bytes:
    file = mido.MidiFile(type=kind, ticks_per_beat=ticks)
    file.tracks.extend(mido.MidiTrack(track) for track in tracks)
    content = io.BytesIO()
    file.save(file=content)
    return content.getvalue()


def on(pitch: int, time: int = 0, velocity: int = 80, channel: int = 0) -> mido.Message:
    return mido.Message("note_on", note=pitch, velocity=velocity, time=time, channel=channel)


def off(pitch: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("note_off", note=pitch, time=time, channel=channel)


def spans(content: bytes) -> list[tuple[int, int, int]]:
    return [(n.onset_tick, n.end_tick, n.pitch) for part in parse_midi(content).parts for n in part.notes]


# --- laws


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    gaps = draw(st.lists(st.floats(0.21, 2.0), min_size=1, max_size=40))
    start_s = draw(st.one_of(st.just(0.0), st.floats(0.05, 20.0)))
    metre = draw(st.sampled_from([Metre(4, 4), Metre(3, 4), Metre(6, 8), Metre(5, 4), Metre(2, 2)]))
    knots_s = start_s + np.cumsum([0.0, *gaps])
    beats = tuple(float(i) for i in range(len(knots_s)))
    bars = -(-len(gaps) // metre.beats_per_bar)
    return Timeline(beats, tuple(map(float, knots_s)), ((0.0, metre),), bars * metre.beats_per_bar)


grid_notes = st.lists(
    st.builds(
        lambda onset, length, pitch, velocity: Note(
            onset / TICKS_PER_BEAT, length / TICKS_PER_BEAT, pitch, velocity
        ),
        st.integers(-3 * TICKS_PER_BEAT, 60 * TICKS_PER_BEAT),
        st.integers(1, 4 * TICKS_PER_BEAT),
        st.integers(0, 127),
        st.integers(1, 127),
    ),
    min_size=1,
    max_size=40,
    unique_by=lambda note: note.pitch,
)


@settings(max_examples=60, deadline=None)
@given(timelines(), st.lists(st.tuples(grid_notes, st.sampled_from(list(Role)), st.integers(0, 127)), max_size=18))
def test_tracks_survive_a_round_trip(tmp_path_factory: pytest.TempPathFactory, timeline: Timeline, drawn) -> None:
    tracks = tuple(
        Track(f"Track {i}", role, program, role in (Role.DRUMS, Role.PERCUSSION), sorted_notes(notes), 0.5)
        for i, (notes, role, program) in enumerate(drawn)
    )
    path = tmp_path_factory.mktemp("midi") / "a.mid"
    write_arrangement(path, arrangement(tracks, timeline))
    back = read_midi(path)
    assert [(t.name, t.role, t.program, t.is_drum, t.confidence) for t in back.tracks] == [
        (t.name, t.role, t.program, t.is_drum, t.confidence) for t in tracks
    ]
    for before, after in zip(tracks, back.tracks, strict=True):
        assert len(before.notes) == len(after.notes)
        for x, y in zip(before.notes, after.notes, strict=True):
            assert (x.pitch, x.velocity) == (y.pitch, y.velocity)
            assert abs(x.onset_beat - y.onset_beat) < 1e-9
            assert abs(x.duration_beat - y.duration_beat) < 1e-9


@settings(max_examples=100, deadline=None)
@given(timelines(), st.floats(-3.0, 0.0))
def test_tempo_map_keeps_time(tmp_path_factory: pytest.TempPathFactory, timeline: Timeline, first: float) -> None:
    path = tmp_path_factory.mktemp("midi") / "a.mid"
    track = Track("x", Role.MELODY, 0, False, (Note(first, 1.0, 60, 80),))
    write_score(path, score(timeline, (track,)))
    back = read_midi(path).timeline
    beats = np.linspace(first, timeline.end_beat, 200)
    assert np.max(np.abs(back.seconds(beats) - timeline.seconds(beats))) < 1e-3
    assert (back.metres, back.end_beat) == (timeline.metres, timeline.end_beat)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.02, 4.0), min_size=1, max_size=60), st.floats(0.0, 9.0))
def test_a_daw_hears_the_notes_when_the_song_has_them(
    tmp_path_factory: pytest.TempPathFactory, gaps: list[float], start_s: float
) -> None:
    """An independent reader finds each note at the song's own second, and no tempo that a DAW would not take.

    Only a song that starts within a quarter of a second has its file start earlier, by a bar in all.
    """
    timeline = Timeline((0.0, 16.0, 32.0), (start_s, start_s + 8.0, start_s + 17.0), ((0.0, Metre()),), 32.0)
    onsets = np.cumsum(gaps) - 1.0 if start_s > 1.0 else np.cumsum(gaps)
    notes = tuple(Note(float(onset), 0.02, 40 + i, 80) for i, onset in enumerate(onsets))
    path = tmp_path_factory.mktemp("midi") / "a.mid"
    write_score(path, score(timeline, (Track("x", Role.MELODY, 0, False, notes),)))
    lead = read_midi(path).lead
    assert lead.lead_s == 0.0 or (start_s < 0.27 and lead.lead_s == pytest.approx(2.0 - start_s))
    now_s, heard = -lead.lead_s, []
    for message in mido.MidiFile(path):  # yields the seconds since the message before
        now_s += message.time
        if message.type == "note_on":
            heard.append(now_s)
        if message.type == "set_tempo":
            assert message.tempo > 60e6 / 960
    assert np.max(np.abs(np.array(heard) - timeline.seconds(onsets))) < 1e-3


def test_rounding_does_not_add_up_over_an_hour() -> None:
    timeline = Timeline.constant(121.3, end_beat=7200.0)  # 494641.38 microseconds a beat
    lead = Lead()
    reached_s, last = 0.0, (0, 0)
    for tick, tempo in [*tempo_map(timeline, lead), (7200 * TICKS_PER_BEAT, 0)]:
        reached_s += (tick - last[0]) / TICKS_PER_BEAT * last[1] * 1e-6
        assert abs(reached_s - float(timeline.seconds(tick / TICKS_PER_BEAT))) < 1e-3
        last = (tick, tempo)


@given(st.integers(0, 11), st.sampled_from(["major", "minor"]))
def test_key_signatures_survive(tonic: int, mode: str) -> None:
    file = mido.MidiFile(type=1)
    file.tracks.append(mido.MidiTrack([mido.MetaMessage("key_signature", key=key_name(Key(tonic, mode)))]))
    content = io.BytesIO()
    file.save(file=content)
    ((_, sharps, minor),) = parse_midi(content.getvalue()).keys
    assert key_from_sharps(sharps, minor) == Key(tonic, mode)


@given(st.integers(0, 11), st.sampled_from(sorted(CHORD_INTERVALS)), st.integers(0, 11))
def test_chord_symbols_survive(root: int, quality: str, bass: int) -> None:
    chord = Chord(0.0, 4.0, root, quality, bass)
    assert parse_chords(chord_markers([chord], 8.0), 8.0) == (chord,)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(NoteEvent, st.floats(0.0, 60.0), st.floats(0.05, 3.0), st.integers(0, 127), st.integers(1, 127)),
        min_size=1,
        unique_by=lambda note: note.pitch,
    )
)
def test_performances_keep_their_seconds(tmp_path_factory: pytest.TempPathFactory, notes: list[NoteEvent]) -> None:
    notes.sort(key=lambda note: (note.onset_s, note.pitch))
    performance = Performance(
        (Part("vocals", tuple(notes), role=Role.MELODY), Part("kit", tuple(notes), True)), 63.0
    )
    path = tmp_path_factory.mktemp("midi") / "performance.mid"
    write_performance(path, performance)
    back = read_performance(path)
    assert back.duration_s == 63.0
    assert [(p.name, p.is_drum, p.role, p.program) for p in back.parts] == [
        ("vocals", False, Role.MELODY, None),
        ("kit", True, None, None),
    ]
    for part in back.parts:
        for x, y in zip(
            sorted(notes, key=lambda n: n.pitch), sorted(part.notes, key=lambda n: n.pitch), strict=True
        ):
            assert abs(x.onset_s - y.onset_s) < 5.1e-4
            assert abs(x.onset_s + x.duration_s - y.onset_s - y.duration_s) < 5.1e-4
            assert (x.pitch, x.velocity) == (y.pitch, y.velocity)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_crash_the_reader(body: bytes) -> None:
    header = b"MThd" + struct.pack(">IHHh", 6, 1, 1, 96) + b"MTrk" + struct.pack(">I", len(body))
    parse_midi(header + body)
    if b"MThd" not in body:
        with pytest.raises(MidiFormatError):
            parse_midi(body)


# --- what a DAW finds


def test_a_daw_finds_all_that_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "score.mid"
    write_score(path, score())
    file = mido.MidiFile(path, charset="utf-8")
    assert file.type == 1
    conductor = [message for message in file.tracks[0] if message.is_meta]
    kinds = [message.type for message in conductor]
    assert conductor[0].name == "Lied ohne Wörter"
    assert kinds.count("set_tempo") > 20
    assert [m.key for m in conductor if m.type == "key_signature"] == ["Am"]
    assert [(m.numerator, m.denominator) for m in conductor if m.type == "time_signature"] == [(4, 4)]
    markers = [m.text for m in conductor if m.type == "marker"]
    assert markers == ["[A]", "Am7", "G7/B", "[chorus]", "N.C.", "C", "N.C."]
    lead, drums = file.tracks[1:]
    assert (lead.name, drums.name) == ("Lead", "Drums")
    assert [m.program for m in lead if m.type == "program_change"] == [65]
    assert {m.channel for m in drums if not m.is_meta} == {9}
    assert {m.channel for m in lead if not m.is_meta} == {0}


def test_bar_lines_stay_bar_lines_with_pickup_and_late_start(tmp_path: Path) -> None:
    path = tmp_path / "score.mid"
    write_score(path, score())
    back = read_midi(path)
    assert back.lead.lead_beat == 4.0  # one bar before the first, and beat 0 is still beat 0
    assert back.tracks[0].notes[0].onset_beat == -0.5
    marked_s, now_s = {}, -back.lead.lead_s
    for message in mido.MidiFile(path):
        now_s += message.time
        if message.type == "marker":
            marked_s[message.text] = now_s
    assert abs(marked_s["[A]"] - float(DRIFTING.seconds(0.0))) < 1e-3
    assert abs(marked_s["[chorus]"] - float(DRIFTING.seconds(8.0))) < 1e-3
    assert (back.chords, back.sections) == (CHORDS, SECTIONS)
    assert (back.key, back.title) == (Key(9, "minor"), "Lied ohne Wörter")


@pytest.mark.parametrize(
    ("start_s", "first_beat", "expected"),
    [
        (0.0, 0.0, Lead(0.0, 0.0, 0.0)),
        (3.9, 0.0, Lead(8.0, 0.0, 0.0)),  # two bars at nearly the song's own tempo
        (0.3, 0.0, Lead(4.0, 0.0, 0.0)),
        (0.3, -0.5, Lead(4.0, pytest.approx(1.7), -4.0)),  # else three beats would rush by in 50 ms
        (0.01, 0.0, Lead(4.0, pytest.approx(1.99), -4.0)),
        (0.0, -1.0, Lead(4.0, 2.0, -4.0)),  # a pickup before second 0: the file starts earlier
        (5.0, -4.0, Lead(8.0, 0.0, -4.0)),
    ],
)
def test_bars_in_front(start_s: float, first_beat: float, expected: Lead) -> None:
    timeline = Timeline.constant(120.0, end_beat=16.0, start_s=start_s)
    assert lead_for(timeline, first_beat) == expected


def test_the_same_values_give_the_same_bytes(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[2:]; from tests.test_midi import *;"
        "write_score(sys.argv[1], score()); write_arrangement(sys.argv[1] + 'a', arrangement((MELODY, DRUMS)))"
    )
    for name in ("1.mid", "2.mid"):
        subprocess.run([sys.executable, "-c", code, tmp_path / name, *sys.path], check=True)
    assert (tmp_path / "1.mid").read_bytes() == (tmp_path / "2.mid").read_bytes()
    assert (tmp_path / "1.mida").read_bytes() == (tmp_path / "2.mida").read_bytes()


def test_overlapping_notes_of_a_pitch_are_cut_and_doubled_ones_merged(tmp_path: Path) -> None:
    notes = (Note(0.0, 4.0, 60, 80), Note(1.0, 1.0, 60, 70), Note(1.0, 1.0, 60, 90), Note(1.0, 1.0, 64, 60))
    path = tmp_path / "a.mid"
    write_arrangement(path, arrangement((Track("x", Role.CHORDS, 0, False, notes),)))
    assert read_midi(path).tracks[0].notes == (
        Note(0.0, 1.0, 60, 80),
        Note(1.0, 1.0, 60, 90),
        Note(1.0, 1.0, 64, 60),
    )


def test_more_tracks_than_channels_keep_their_programs(tmp_path: Path) -> None:
    tracks = tuple(Track(f"T{i}", Role.PAD, i, False, (Note(0.0, 1.0, 60, 80),)) for i in range(20))
    write_arrangement(tmp_path / "a.mid", arrangement(tracks))
    assert read_midi(tmp_path / "a.mid").tracks == tracks


def test_a_folder_that_is_a_file_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"a\.mid"):
        write_score(tmp_path / "file" / "a.mid", score())


# --- edited in a DAW


def test_roles_come_back_by_name_where_the_text_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    odd = Track("Banjo", Role.COUNTER, 105, False, (Note(0.0, 1.0, 70, 80),))
    lead = write_arrangement(path, arrangement((MELODY, odd, DRUMS)))
    file = mido.MidiFile(path)
    for track in file.tracks:
        track[:] = [message for message in track if message.type != "text"]
    file.save(path)
    back = read_midi(path, known=(MELODY, odd, DRUMS), lead=lead)
    assert [t.role for t in back.tracks] == [Role.MELODY, Role.COUNTER, Role.DRUMS]
    assert back.tracks == (MELODY, odd, DRUMS)
    beats = np.linspace(-0.5, 32.0, 50)
    assert np.max(np.abs(back.timeline.seconds(beats) - DRIFTING.seconds(beats))) < 1e-3


def test_roles_are_guessed_for_new_tracks_and_type_0() -> None:
    content = midi_bytes(
        [
            mido.Message("program_change", program=33, channel=0),
            mido.Message("program_change", program=73, channel=1),
            mido.Message("program_change", program=89, channel=2),
            *[on(40, channel=0), on(72, channel=1), on(60, channel=2), on(42, channel=9)],
            *[on(60, channel=3), on(64, channel=3), on(67, channel=3)],
            *[off(40, 480, 0), off(72, 0, 1), off(60, 0, 2), off(42, 0, 9)],
            *[off(60, 0, 3), off(64, 0, 3), off(67, 0, 3)],
        ],
        kind=0,
    )
    path = Path("type0.mid")
    events = parse_midi(content)
    assert len(events.parts) == 5, path
    roles = {track.name: track.role for track in _read(content).tracks}
    assert roles == {
        "finger bass": Role.BASS,
        "flute": Role.MELODY,
        "warm pad": Role.PAD,
        "drums": Role.DRUMS,
        "acoustic grand piano": Role.CHORDS,
    }


def _read(content: bytes):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.mid"
        path.write_bytes(content)
        return read_midi(path)


# --- from the wild


def test_notes_of_no_length_sound() -> None:
    assert spans(midi_bytes([on(36, 480), off(36), on(38, 480), off(38)])) == [(480, 540, 36), (960, 1020, 38)]


def test_hanging_notes_end() -> None:
    track = [on(60, 0), on(62, 10), on(60, 480), off(62, 480), on(50, 9600)]
    assert spans(midi_bytes(track)) == [(0, 490, 60), (10, 970, 62), (490, 2410, 60), (10570, 10630, 50)]


def test_overlapping_notes_of_one_pitch_are_told_apart() -> None:
    assert spans(midi_bytes([on(60, 0), on(60, 100), off(60, 100), off(60, 100)])) == [
        (0, 100, 60),
        (100, 200, 60),
    ]


def test_legato_repeats_with_the_off_after_the_on() -> None:
    assert spans(midi_bytes([on(60, 0), on(60, 100), off(60, 0), off(60, 100)])) == [(0, 100, 60), (100, 200, 60)]


def test_note_on_with_velocity_zero_and_all_notes_off_end_notes() -> None:
    control = mido.Message("control_change", control=123, time=100)
    assert spans(midi_bytes([on(60), on(61), on(60, 50, velocity=0), control])) == [(0, 50, 60), (0, 150, 61)]


def test_no_tempo_is_120_bpm() -> None:
    file = _read(midi_bytes([on(60, 480), off(60, 480)]))
    assert file.performance.parts[0].notes[0] == NoteEvent(0.5, 0.5, 60, 80)
    assert file.timeline.end_beat == 4.0


def test_smpte_division_counts_frames() -> None:
    content = bytearray(midi_bytes([mido.MetaMessage("set_tempo", tempo=1), on(60, 1000), off(60, 500)]))
    content[12:14] = struct.pack(">bB", -25, 40)  # 25 frames of 40 ticks: a tick is a millisecond
    (note,) = _read(bytes(content)).performance.parts[0].notes
    assert (note.onset_s, note.duration_s) == pytest.approx((1.0, 0.5))


def test_a_change_of_metre_inside_a_bar_makes_a_short_bar() -> None:
    metres = [
        mido.MetaMessage("time_signature", numerator=4, denominator=4),
        mido.MetaMessage("time_signature", numerator=3, denominator=4, time=480 * 6),
    ]
    bars = _read(midi_bytes(metres, [on(60, 480 * 11), off(60, 480)])).timeline.bars
    assert [(bar.onset_beat, bar.duration_beat) for bar in bars] == [(0, 4), (4, 2), (6, 3), (9, 3)]


def test_a_truncated_file_keeps_what_stands_before(caplog: pytest.LogCaptureFixture) -> None:
    content = midi_bytes([message for i in range(20) for message in (on(60 + i), off(60 + i, 240))])
    assert len(spans(content[:-60])) in range(10, 19)
    assert "damaged" in caplog.text


def test_a_riff_wrapper_unknown_chunks_and_bad_signatures_are_passed_over() -> None:
    content = midi_bytes([mido.MetaMessage("key_signature", key="C"), on(60), off(60, 480)])
    content = content.replace(b"\xff\x59\x02\x00\x00", b"\xff\x59\x02\x63\x09")
    wrapped = b"RIFF\0\0\0\0RMIDdata\0\0\0\0" + content[:14] + b"XFIH\0\0\0\2ab" + content[14:]
    assert spans(wrapped) == [(0, 480, 60)]
    assert parse_midi(wrapped).keys == []


def test_lyrics_sysex_and_latin_1_names_are_no_trouble() -> None:
    track = [
        mido.MetaMessage("track_name", name="Gitarre für Zwölf"),
        mido.MetaMessage("lyrics", text="la"),
        mido.Message("sysex", data=[1, 2, 3]),
        mido.MetaMessage("marker", text="Refrain 2"),
        *[on(60), off(60, 480)],
    ]
    file = _read(midi_bytes(track))
    assert file.tracks[0].name == "Gitarre für Zwölf"
    assert (file.chords, file.sections) == ((), ())


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "no MIDI header"),
        (b"this is a text, renamed", "no MIDI header"),
        (b"MThd\0\0", "no MIDI header"),
        (b"MThd" + struct.pack(">IHHh", 6, 1, 1, 480), "no track"),
        (b"MThd" + struct.pack(">IHHh", 6, 1, 1, 0) + b"MTrk\0\0\0\0", "time division"),
        (b"MThd" + struct.pack(">IHHh", 6, 2, 1, 480) + b"MTrk\0\0\0\0", "format 2"),
    ],
)
def test_what_is_no_midi_is_one_error_with_the_file_name(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "söng.mid"
    path.write_bytes(content)
    with pytest.raises(MidiFormatError, match=complaint) as caught:
        read_midi(path)
    assert "söng.mid" in caught.value.message


def test_missing_files_folders_and_endless_songs_are_errors(tmp_path: Path) -> None:
    with pytest.raises(MidiFormatError, match="No such file"):
        read_midi(tmp_path / "none.mid")
    with pytest.raises(MidiFormatError, match="directory"):
        read_midi(tmp_path)
    (tmp_path / "long.mid").write_bytes(midi_bytes([on(60, 0x0FFFFFF), off(60, 480)]))
    with pytest.raises(MidiFormatError, match="hours"):
        read_midi(tmp_path / "long.mid")


def test_a_file_without_notes_reads_as_silence() -> None:
    file = _read(midi_bytes([mido.MetaMessage("track_name", name="empty")]))
    assert (file.performance.parts, file.timeline.end_beat) == ((), 0.0)

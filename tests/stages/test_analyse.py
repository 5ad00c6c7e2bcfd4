"""The whole of analysis: songs that are known, sounds that are hardly songs, and MIDI files of every kind."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from rearrange.audio import Audio
from rearrange.errors import CancelledError, TooLittleMusicError, UsageError
from rearrange.score import Metre, NoteEvent, Part, Performance, Role, Score, Timeline
from rearrange.stages.analyse import AnalyseSettings, analyse
from tests.analysis import rhythms

RATE = rhythms.SAMPLE_RATE
EMPTY = (
    ("vocals", Role.MELODY, False),
    ("bass", Role.BASS, False),
    ("other", Role.CHORDS, False),
    ("drums", None, True),
)


def band(
    pattern: Sequence[tuple[float, int]], beats_per_bar: int, times_s: np.ndarray, *, with_drums: bool = True
) -> tuple[Performance, Audio]:
    """A band with these beats, as it would be transcribed, and its sound."""
    drums = rhythms.drum_notes(pattern, beats_per_bar, times_s) if with_drums else []
    end_s = float(times_s[-1])
    chords = rhythms.chord_notes([float(time) for time in times_s[:-1:beats_per_bar]], end_s)
    melody = [NoteEvent(float(time), 0.3, 72 + (i * 5) % 12, 85) for i, time in enumerate(times_s[:-1])]
    parts = (
        Part("vocals", tuple(melody), role=Role.MELODY),
        Part("bass", tuple(note for note in chords if note.pitch < 48), role=Role.BASS),
        Part("other", tuple(note for note in chords if note.pitch >= 48), role=Role.CHORDS),
        Part("drums", tuple(drums), is_drum=True),
    )
    sound = rhythms.sound(drums, chords + melody, end_s + 0.5)
    return Performance(parts, end_s + 0.5), Audio(sound[None], RATE)


def only(role: str, notes: Sequence[NoteEvent], duration_s: float) -> Performance:
    """What is transcribed when one stem has notes and the others none."""
    parts = tuple(Part(name, tuple(notes) if name == role else (), kit, kind) for name, kind, kit in EMPTY)
    return Performance(parts, duration_s)


def check_is_whole(score: Score) -> None:
    """What every later stage relies on."""
    timeline = score.timeline
    assert timeline.end_beat == pytest.approx(timeline.bars[-1].end_beat)
    assert float(timeline.seconds(0.0)) > -0.06
    assert len(score.bar_energy) == len(timeline.bars)
    assert all(0.0 <= energy <= 1.0 for energy in score.bar_energy)
    assert score.sections[0].onset_beat == 0.0
    assert score.sections[-1].end_beat == pytest.approx(timeline.end_beat)
    assert all(a.end_beat == pytest.approx(b.onset_beat) for a, b in pairwise(score.sections))
    bar_lines = {round(bar.onset_beat, 6) for bar in timeline.bars}
    assert all(round(section.onset_beat, 6) in bar_lines for section in score.sections)
    assert all(a.end_beat <= b.onset_beat + 1e-6 for a, b in pairwise(score.chords))
    roles = [track.role for track in score.tracks]
    assert len(set(roles)) == len(roles)
    for track in score.tracks:
        assert all(note.duration_beat > 0 and note.onset_beat < timeline.end_beat for note in track.notes)
        assert 0.0 <= track.confidence <= 1.0
    confidences = [timeline.confidence, score.key.confidence, *(chord.confidence for chord in score.chords)]
    assert all(0.0 <= each <= 1.0 for each in (*confidences, *(section.confidence for section in score.sections)))


# Songs


@pytest.mark.parametrize(
    ("pattern", "beats_per_bar", "metre", "quarters_bpm", "felt_bpm"),
    [
        (rhythms.ROCK, 4, Metre(4, 4), 120.0, 120.0),
        (rhythms.WALTZ, 3, Metre(3, 4), 120.0, 120.0),
        (rhythms.SIX_EIGHT, 2, Metre(6, 8), 96.0, 64.0),
    ],
)
def test_a_band_is_understood(
    pattern: Sequence[tuple[float, int]], beats_per_bar: int, metre: Metre, quarters_bpm: float, felt_bpm: float
) -> None:
    times = rhythms.beat_times(12 * beats_per_bar + 1, felt_bpm)
    score = analyse(*band(pattern, beats_per_bar, times))
    check_is_whole(score)
    assert score.timeline.metres == ((0.0, metre),)
    assert score.timeline.mean_tempo_bpm == pytest.approx(quarters_bpm, rel=0.02)
    assert float(score.timeline.seconds(0.0)) == pytest.approx(0.3, abs=0.04)
    assert len(score.timeline.bars) == 12
    assert str(score.key) == "C major"
    heard = {
        round(chord.onset_beat / metre.beats_per_bar): (chord.root, chord.quality[:3]) for chord in score.chords
    }
    expected = {i: ((0, "maj"), (9, "min"), (5, "maj"), (7, "maj"))[i % 4] for i in range(12)}
    assert sum(heard.get(i) == expected[i] for i in range(12)) >= 11
    assert {track.role for track in score.tracks} == {Role.MELODY, Role.BASS, Role.CHORDS, Role.DRUMS}
    assert score.timeline.confidence > 0.3


def test_a_tempo_that_drifts_is_in_the_timeline() -> None:
    times = rhythms.beat_times(65, 100.0, to_bpm=120.0)
    timeline = analyse(*band(rhythms.ROCK, 4, times)).timeline
    np.testing.assert_allclose(timeline.seconds(np.arange(len(times) - 1)), times[:-1], atol=0.05)
    assert timeline.tempo_bpm(2.0) < 106
    assert timeline.tempo_bpm(60.0) > 114


def test_a_song_without_drums() -> None:
    times = rhythms.beat_times(49, 100.0)
    score = analyse(*band(rhythms.ROCK, 4, times, with_drums=False))
    check_is_whole(score)
    assert score.track(Role.DRUMS) is None
    assert score.timeline.mean_tempo_bpm == pytest.approx(100.0, rel=0.03)


def test_what_the_user_states_is_kept() -> None:
    performance, mix = band(rhythms.ROCK, 4, rhythms.beat_times(49, 120.0))
    slow = analyse(performance, mix, AnalyseSettings(tempo_bpm=60.0))
    assert slow.timeline.mean_tempo_bpm == pytest.approx(60.0, rel=0.04)
    three = analyse(performance, mix, AnalyseSettings(metre="3/4"))
    assert str(three.timeline.metres[0][1]) == "3/4"


@pytest.mark.parametrize("settings", [AnalyseSettings(metre="5/4"), AnalyseSettings(tempo_bpm=5.0)])
def test_what_cannot_be_is_refused(settings: AnalyseSettings) -> None:
    with pytest.raises(UsageError):
        analyse(*band(rhythms.ROCK, 4, rhythms.beat_times(17, 120.0)), settings)


def test_notes_are_drawn_to_the_grid_and_keep_a_quarter_of_their_deviation() -> None:
    performance, mix = band(rhythms.ROCK, 4, rhythms.beat_times(49, 120.0))
    late = tuple(replace(note, onset_s=note.onset_s + 0.03) for note in performance.parts[0].notes)
    moved = replace(performance, parts=(replace(performance.parts[0], notes=late), *performance.parts[1:]))
    melody = analyse(moved, mix).track(Role.MELODY)
    assert melody is not None
    deviation = [note.onset_beat - round(note.onset_beat) for note in melody.notes]
    assert np.median(deviation) == pytest.approx(0.06 / 4, abs=0.012)


def test_a_melody_is_one_line_even_if_heard_as_several() -> None:
    performance, mix = band(rhythms.ROCK, 4, rhythms.beat_times(49, 120.0))
    long = tuple(replace(note, duration_s=2.0) for note in performance.parts[0].notes)
    sung = replace(performance, parts=(replace(performance.parts[0], notes=long), *performance.parts[1:]))
    melody = analyse(sung, mix).track(Role.MELODY)
    assert melody is not None
    ends = [note.onset_beat + note.duration_beat for note in melody.notes]
    assert all(end <= note.onset_beat + 1e-6 for end, note in zip(ends, melody.notes[1:], strict=False))


def test_the_same_song_gives_the_same_score() -> None:
    performance, mix = band(rhythms.ROCK, 4, rhythms.beat_times(33, 120.0))
    assert analyse(performance, mix) == analyse(performance, mix)


def test_progress_never_goes_back_and_may_stop_the_work() -> None:
    performance, mix = band(rhythms.ROCK, 4, rhythms.beat_times(33, 120.0))
    fractions: list[float] = []
    analyse(performance, mix, progress=lambda fraction, message: fractions.append(fraction))
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0

    def stop(fraction: float, message: str) -> None:
        if fraction > 0.3:
            raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        analyse(performance, mix, progress=stop)


# Hardly songs


def test_drums_alone_have_beats_and_no_chords() -> None:
    times = rhythms.beat_times(49, 110.0)
    drums = rhythms.drum_notes(rhythms.ROCK, 4, times)
    samples = rhythms.sound(drums, [], float(times[-1]) + 0.5)
    for mix in (Audio(samples[None], RATE), None):
        score = analyse(only("drums", drums, float(times[-1]) + 0.5), mix)
        check_is_whole(score)
        assert score.timeline.mean_tempo_bpm == pytest.approx(110.0, rel=0.02)
        assert [track.role for track in score.tracks] == [Role.DRUMS]
        assert mix is not None or score.chords == ()


def test_a_lonely_sine_melody_is_a_song_of_low_confidence() -> None:
    scale = [60, 62, 64, 65, 67, 69, 71, 72]
    notes = [NoteEvent(0.5 + 0.6 * i, 0.58, scale[i % 8], 80) for i in range(24)]
    samples = np.zeros(int(16 * RATE), np.float32)
    for note in notes:
        time_s = np.arange(int(note.duration_s * RATE)) / RATE
        fade = np.minimum(1.0, np.minimum(time_s, note.duration_s - time_s) / 0.05)
        start = int(note.onset_s * RATE)
        hz = 440.0 * 2 ** ((note.pitch - 69) / 12)
        samples[start : start + len(time_s)] += (0.3 * fade * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)
    score = analyse(only("vocals", notes, 16.0), Audio(samples[None], RATE))
    check_is_whole(score)
    assert score.track(Role.MELODY) is not None
    assert str(score.key) in ("C major", "A minor")


def test_pads_without_an_onset_get_a_grid_that_says_it_is_a_guess() -> None:
    time_s = np.arange(int(20 * RATE)) / RATE
    samples = (0.1 * sum(np.sin(2 * np.pi * hz * time_s) for hz in (220.0, 277.2, 329.6))).astype(np.float32)
    pad = [NoteEvent(0.0, 20.0, pitch, 60) for pitch in (57, 61, 64, 69)]
    score = analyse(only("other", pad, 20.0), Audio(samples[None], RATE))
    check_is_whole(score)
    assert score.timeline.confidence < 0.3
    assert float(score.timeline.seconds(score.timeline.end_beat)) > 19.0


def test_noise_is_too_little_or_a_song_but_never_a_crash() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 20 * RATE).astype(np.float32)
    mix = Audio(noise[None], RATE)
    with pytest.raises(TooLittleMusicError):
        analyse(only("drums", (), 20.0), mix)
    rng = np.random.default_rng(1)
    ghosts = [
        NoteEvent(float(t), 0.1, int(p), 40, 0.3)
        for t, p in zip(np.sort(rng.uniform(0, 20, 40)), rng.integers(40, 90, 40), strict=True)
    ]
    score = analyse(only("other", ghosts, 20.0), mix)
    check_is_whole(score)
    assert score.timeline.confidence < 0.5


def test_ten_minutes_of_silence_are_one_clear_line() -> None:
    silence = Audio(np.zeros((1, 600 * RATE), np.float32), RATE)
    with pytest.raises(TooLittleMusicError, match="silent"):
        analyse(only("other", (), 600.0), silence)


@pytest.mark.parametrize("duration_s", [0.2, 0.9])
def test_under_a_second_is_too_little(duration_s: float) -> None:
    note = [NoteEvent(0.05 * i, 0.05, 60 + i, 80) for i in range(4)]
    sound = Audio(np.full((1, int(duration_s * RATE)), 0.1, np.float32), RATE)
    for mix in (sound, None):
        with pytest.raises(TooLittleMusicError):
            analyse(only("vocals", note, duration_s), mix)


def test_a_performance_without_notes_is_too_little() -> None:
    for performance in (Performance((), 30.0), only("other", (), 30.0)):
        with pytest.raises(TooLittleMusicError):
            analyse(performance, None, timeline=Timeline.constant(120.0, end_beat=60.0))


@pytest.mark.parametrize("duration_s", [1.2, 3.0])
def test_a_very_short_song_is_one_bar_or_two(duration_s: float) -> None:
    notes = [NoteEvent(0.25 * i, 0.2, 60 + 2 * i, 80) for i in range(int(duration_s / 0.25))]
    sound = rhythms.sound([], notes, duration_s)
    check_is_whole(analyse(only("other", notes, duration_s), Audio(sound[None], RATE)))


# MIDI


def midi_band(
    *, shift_s: float = 0.0, lengths: Sequence[int] = (4,) * 16, bpm: float = 100.0
) -> tuple[Performance, list[float]]:
    """A file's parts, and where its bars begin in seconds."""
    starts = np.concatenate([[0], np.cumsum(lengths)])
    times = shift_s + np.arange(starts[-1] + 1) * 60.0 / bpm
    bar_starts = [float(times[start]) for start in starts[:-1]]
    drums = [
        NoteEvent(float(times[start + k]), 0.1, rhythms.SNARE if k % 2 else rhythms.KICK, 100)
        for start, length in zip(starts, lengths, strict=False)
        for k in range(length)
    ]
    chords = rhythms.chord_notes(bar_starts, float(times[-1]))
    parts = (
        Part("piano", tuple(note for note in chords if note.pitch >= 48), program=0),
        Part("bass", tuple(note for note in chords if note.pitch < 48), program=33),
        Part("drums", tuple(drums), is_drum=True),
    )
    return Performance(parts, float(times[-1]) + 1.0), bar_starts


def test_a_midi_file_keeps_its_grid_and_its_microtiming() -> None:
    performance, _ = midi_band()
    timeline = Timeline.constant(100.0, end_beat=64.0)
    late = tuple(replace(note, onset_s=note.onset_s + 0.012) for note in performance.parts[0].notes)
    played = replace(performance, parts=(replace(performance.parts[0], notes=late), *performance.parts[1:]))
    score = analyse(played, None, timeline=timeline)
    check_is_whole(score)
    assert (score.timeline.knots_beat, score.timeline.knots_s) == (timeline.knots_beat, timeline.knots_s)
    chords = score.track(Role.CHORDS)
    assert chords is not None
    assert chords.notes[0].onset_beat == pytest.approx(0.02, abs=1e-6)


@pytest.mark.parametrize("shift_beats", [0.5, 0.75, 1.25])
def test_a_midi_file_whose_beats_lie_elsewhere_gets_its_own(shift_beats: float) -> None:
    performance, bar_starts = midi_band(shift_s=shift_beats * 0.6)
    score = analyse(performance, None, timeline=Timeline.constant(100.0, end_beat=64.0, metre=Metre(1, 4)))
    check_is_whole(score)
    assert score.timeline.mean_tempo_bpm == pytest.approx(100.0)
    found = score.timeline.seconds([bar.onset_beat for bar in score.timeline.bars])
    assert rhythms.hit_share(np.array(bar_starts), np.asarray(found), 0.03) > 0.9


def test_a_midi_file_that_ignores_its_grid_is_listened_to() -> None:
    performance, bar_starts = midi_band(bpm=93.0)
    score = analyse(performance, None, timeline=Timeline.constant(120.0, end_beat=64.0))
    check_is_whole(score)
    assert score.timeline.mean_tempo_bpm == pytest.approx(93.0, rel=0.02)
    found = score.timeline.seconds([bar.onset_beat for bar in score.timeline.bars])
    assert rhythms.hit_share(np.array(bar_starts), np.asarray(found)) > 0.9


def test_a_bar_of_another_length_is_a_change_of_metre() -> None:
    performance, bar_starts = midi_band(lengths=(4,) * 14 + (2,) + (4,) * 16, shift_s=0.3)
    score = analyse(performance, None, timeline=Timeline.constant(100.0, end_beat=128.0, metre=Metre(1, 4)))
    check_is_whole(score)
    assert [str(metre) for _, metre in score.timeline.metres] == ["4/4", "2/4", "4/4"]
    found = score.timeline.seconds([bar.onset_beat for bar in score.timeline.bars])
    assert rhythms.hit_share(np.array(bar_starts), np.asarray(found), 0.03) > 0.9


def test_a_pickup_has_negative_beats() -> None:
    performance, _ = midi_band(shift_s=2.4)
    pickup = Part("Melody", tuple(NoteEvent(1.8 + 0.3 * i, 0.28, 72 + i, 90) for i in range(60)), program=73)
    score = analyse(
        replace(performance, parts=(pickup, *performance.parts)),
        None,
        timeline=Timeline.constant(100.0, end_beat=72.0, metre=Metre(1, 4)),
    )
    melody = score.track(Role.MELODY)
    assert melody is not None
    assert melody.notes[0].onset_beat == pytest.approx(-1.0, abs=0.05)
    assert float(score.timeline.seconds(0.0)) == pytest.approx(2.4, abs=0.05)


def test_irregular_metres_of_a_file_are_kept() -> None:
    performance, _ = midi_band(lengths=(5,) * 12)
    timeline = Timeline.constant(100.0, end_beat=60.0, metre=Metre(5, 4))
    score = analyse(performance, None, timeline=timeline)
    check_is_whole(score)
    assert {str(metre) for _, metre in score.timeline.metres} == {"5/4"}


def test_the_last_chord_sounds_to_its_end() -> None:
    performance, _ = midi_band()
    # Two bars and a sixth of a beat: the bar that it just reaches into is not opened.
    last = Part("piano", (*performance.parts[0].notes, NoteEvent(38.4, 4.9, 60, 80)), program=0)
    held = replace(performance, parts=(last, *performance.parts[1:]), duration_s=44.0)
    score = analyse(held, None, timeline=Timeline.constant(100.0, end_beat=64.0))
    check_is_whole(score)
    assert score.timeline.end_beat == 64.0 + 8.0

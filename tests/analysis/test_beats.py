"""Beats, bars and tempo of rhythms whose beats are known."""

from collections.abc import Sequence

import numpy as np
import pytest

from rearrange.analysis.beats import BeatTrack, beat_paths, smooth_beats, track_beats
from rearrange.analysis.chroma import log_spectrogram
from rearrange.analysis.evidence import Evidence, note_evidence, sound_evidence
from rearrange.analysis.metre import choose_metre
from rearrange.analysis.onsets import FRAME_RATE_HZ, band_spectrogram, onset_envelope
from rearrange.analysis.tempo import candidate_periods, period_path, tempo_preference, tempogram
from tests.analysis import rhythms


def heard(samples: np.ndarray) -> Evidence:
    bands = band_spectrogram(samples, rhythms.SAMPLE_RATE)
    return sound_evidence(onset_envelope(bands), log_spectrogram(samples, rhythms.SAMPLE_RATE).semitones)


def band(
    pattern: Sequence[tuple[float, int]], beats_per_bar: int, times_s: np.ndarray, *, as_sound: bool
) -> list[Evidence]:
    drums = rhythms.drum_notes(pattern, beats_per_bar, times_s)
    end_s = float(times_s[-1])
    chords = rhythms.chord_notes(list(times_s[:-1:beats_per_bar]), end_s)
    notes = note_evidence(chords, drums, end_s + 0.5)
    # As the stage has it: sound never comes without the notes heard in it.
    return [heard(rhythms.sound(drums, chords, end_s + 0.5)), notes] if as_sound else [notes]


def downbeats(track: BeatTrack) -> np.ndarray:
    return np.asarray(track.times_s[track.bar_starts])


@pytest.mark.parametrize("as_sound", [True, False])
@pytest.mark.parametrize(
    ("pattern", "beats_per_bar", "bpm"),
    [(rhythms.ROCK, 4, 96.0), (rhythms.ROCK, 4, 128.0), (rhythms.WALTZ, 3, 132.0), (rhythms.SIX_EIGHT, 2, 66.0)],
)
def test_beats_bars_and_metre_of_a_band(
    pattern: Sequence[tuple[float, int]], beats_per_bar: int, bpm: float, as_sound: bool
) -> None:
    times = rhythms.beat_times(12 * beats_per_bar + 1, bpm)
    track = track_beats(band(pattern, beats_per_bar, times, as_sound=as_sound))
    assert track.beats_per_bar == beats_per_bar
    assert 60.0 / track.period_s == pytest.approx(bpm, rel=0.02)
    inside = (track.times_s > 0.2) & (track.times_s < times[-1] + 0.1)
    assert rhythms.hit_share(times, track.times_s[inside]) > 0.95
    bars = downbeats(track)
    assert rhythms.hit_share(times[::beats_per_bar], bars[(bars > 0.2) & (bars < times[-1] + 0.1)]) > 0.9
    assert track.beat_confidence > 0.4


@pytest.mark.parametrize("as_sound", [True, False])
def test_a_tempo_that_drifts_is_followed(as_sound: bool) -> None:
    times = rhythms.beat_times(65, 100.0, to_bpm=120.0)
    track = track_beats(band(rhythms.ROCK, 4, times, as_sound=as_sound))
    inside = (track.times_s > 0.2) & (track.times_s < times[-1] + 0.1)
    assert rhythms.hit_share(times, track.times_s[inside]) > 0.95
    intervals = np.diff(track.times_s[inside])
    assert 60.0 / np.median(intervals[:8]) == pytest.approx(101.0, abs=3.0)
    assert 60.0 / np.median(intervals[-8:]) == pytest.approx(119.0, abs=3.0)


def test_half_time_drums_do_not_halve_what_is_stated() -> None:
    times = rhythms.beat_times(49, 120.0)
    track = track_beats(band(rhythms.ROCK, 4, times, as_sound=False), tempo_bpm=60.0)
    assert 60.0 / track.period_s == pytest.approx(60.0, rel=0.03)


def test_bars_may_be_stated() -> None:
    times = rhythms.beat_times(49, 120.0)
    track = track_beats(band(rhythms.ROCK, 4, times, as_sound=False), beats_per_bar=(3,))
    assert track.beats_per_bar == 3


def test_without_onsets_the_grid_is_steady_and_says_that_it_knows_nothing() -> None:
    track = track_beats([note_evidence([], [], 10.0)])
    assert (track.beat_confidence, track.bar_confidence, track.tempo_confidence) == (0.0, 0.0, 0.0)
    assert np.ptp(np.diff(track.times_s)) < 1e-9
    assert track.times_s[-1] >= 10.0


def test_beats_that_were_found_twice_are_no_less_sure() -> None:
    times = rhythms.beat_times(49, 96.0)
    evidence = band(rhythms.ROCK, 4, times, as_sound=False)
    frames = times * FRAME_RATE_HZ
    once, twice, other = (
        choose_metre(evidence, sequences, beats_per_bar=(4,), halfway=False)
        for sequences in ([frames], [frames, frames + 2.0], [frames, frames[::2]])
    )
    assert once is not None
    assert twice is not None
    assert other is not None
    assert once.beat_confidence == twice.beat_confidence == 1.0
    assert other.beat_confidence < 1.0
    assert once.bar_confidence <= 1.0
    assert twice.bar_confidence == pytest.approx(once.bar_confidence, abs=0.1)


def test_noise_is_not_believed() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 20 * rhythms.SAMPLE_RATE).astype(np.float32)
    times = rhythms.beat_times(33, 100.0)
    clear = track_beats(band(rhythms.ROCK, 4, times, as_sound=True))
    assert track_beats([heard(noise)]).beat_confidence < 0.5 * clear.beat_confidence


def test_beats_cover_the_song_and_increase() -> None:
    times = rhythms.beat_times(33, 110.0, start_s=3.0)
    track = track_beats(band(rhythms.ROCK, 4, times, as_sound=False))
    assert np.all(np.diff(track.times_s) > 0.2)
    assert track.times_s[0] < 0.6
    assert track.times_s[-1] >= times[-1]
    assert 0 <= track.phase < track.beats_per_bar


def test_smoothing_takes_jitter_and_keeps_drift() -> None:
    true = rhythms.beat_times(80, 100.0, to_bpm=125.0)
    heard_at = true + np.random.default_rng(2).normal(0, 0.01, len(true))
    smooth = smooth_beats(heard_at)
    assert np.std(smooth - true) < 0.6 * np.std(heard_at - true)
    assert np.abs(smooth - true).max() < 0.02


def test_smoothing_leaves_exact_beats_alone_and_pulls_a_stray_one_back() -> None:
    true = rhythms.beat_times(40, 120.0)
    np.testing.assert_allclose(smooth_beats(true), true, atol=1e-6)
    stray = true.copy()
    stray[20] += 0.12
    assert abs(smooth_beats(stray)[20] - true[20]) < 0.03


def test_a_path_lands_on_the_pulses() -> None:
    strength = np.zeros(2000)
    strength[25::50] = 1.0
    (path,) = beat_paths(strength, np.full((1, 20), 0.5))
    assert set(np.diff(path)) == {50.0}
    assert path[0] % 50 == 25


def test_candidates_hold_the_pulse_and_nothing_repeats_in_silence() -> None:
    strength = np.zeros(3000)
    strength[::50] = 1.0
    correlations = tempogram(strength)
    assert np.any(np.abs(candidate_periods(correlations) - 0.5) < 0.02)
    assert period_path(correlations, 0.5) == pytest.approx(0.5, abs=0.02)
    assert len(candidate_periods(tempogram(np.zeros(3000)))) == 0


def test_people_prefer_middling_tempos() -> None:
    assert tempo_preference(60 / 110) > tempo_preference(60 / 55) > tempo_preference(60 / 30)

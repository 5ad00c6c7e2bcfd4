"""The sound of the page: what it measures, how it is coded, and that it fits."""

import io

import av
import numpy as np
import pytest

from rearrange.audio import Audio, loudness_lufs, true_peak_dbtp
from rearrange.evaluation.report.sounds import (
    HIGHEST_HZ,
    LOWEST_HZ,
    N_BANDS,
    Heard,
    Measures,
    Picture,
    SoundPlan,
    coded,
    listen,
    matched_gains,
    resampled,
    sound_plan,
)

PLAN = SoundPlan(48000, 2, 96, 32)
NO_PICTURE = Picture(*(np.zeros(1, np.float32),) * 3, bands=np.zeros((1, N_BANDS), np.float32))


def tone(hz: float, seconds: float, level: float = 0.5, rate: int = 48000) -> np.ndarray:
    t = np.arange(int(seconds * rate)) / rate
    return np.repeat((level * np.sin(2 * np.pi * hz * t))[np.newaxis], 2, axis=0).astype(np.float32)


def decoded(webm: bytes) -> np.ndarray:
    with av.open(io.BytesIO(webm)) as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)


def in_blocks(samples: np.ndarray, n: int = 17_001) -> list[np.ndarray]:
    return [samples[:, start : start + n] for start in range(0, samples.shape[1], n)]


def test_a_side_is_measured_drawn_and_coded_as_it_streams_by() -> None:
    sound = np.concatenate([tone(440, 3.0, 0.5), tone(440, 1.0, 0.05)], axis=1)
    heard = listen(in_blocks(sound), PLAN)
    whole = Audio(sound, 48000)
    assert heard.duration_s == pytest.approx(4.0)
    assert heard.lufs == pytest.approx(loudness_lufs(whole), abs=0.1)
    assert heard.true_peak_dbtp == pytest.approx(true_peak_dbtp(whole), abs=0.2)
    picture = heard.picture
    assert len(picture.highs) == len(picture.lows) == len(picture.rms) == 400
    assert picture.highs[100] == pytest.approx(0.5, abs=0.01)
    assert picture.rms[350] == pytest.approx(0.05 / np.sqrt(2), rel=0.05)
    band = round(np.log(440 / LOWEST_HZ) / np.log(HIGHEST_HZ / LOWEST_HZ) * (N_BANDS + 1)) - 1
    assert abs(int(picture.bands[30].argmax()) - band) <= 1
    assert len(picture.bands) == pytest.approx(80, abs=2)


def test_the_code_is_what_went_in_at_its_place() -> None:
    sound = np.zeros((2, 96_000), np.float32)
    sound[:, 50_000:50_480] = tone(2000, 0.01)
    back = decoded(coded(in_blocks(sound), sample_rate=48000, channels=2, kbps=96))
    loud = np.flatnonzero(np.abs(back[0]) > 0.1)
    assert loud[0] == pytest.approx(50_000, abs=240)  # 5 ms: the codec's own smear
    assert back.shape[1] == pytest.approx(96_000, abs=1000)


def test_what_is_known_is_not_measured() -> None:
    known = Measures(-14.0, -1.0)
    assert listen([tone(440, 0.5)], PLAN, known=known).measures is known


@pytest.mark.parametrize("n", [0, 1, 100, 479, 5000])
def test_a_sound_may_be_as_short_as_it_likes(n: int) -> None:
    heard = listen([np.full((2, n), 0.1, np.float32)] if n else [], PLAN)
    assert heard.duration_s == n / 48000
    assert heard.webm[:4] == b"\x1aE\xdf\xa3" or n == 0


def test_silence_has_no_loudness() -> None:
    heard = listen([np.zeros((2, 48000), np.float32)], PLAN)
    assert heard.lufs == heard.true_peak_dbtp == float("-inf")
    assert matched_gains([heard, side(-14.0, -1.0)]) == [1.0, 1.0]


def side(lufs: float, peak: float) -> Heard:
    return Heard(b"", 1.0, Measures(lufs, peak), NO_PICTURE)


@pytest.mark.parametrize(
    ("a", "b"), [((-8.0, 0.5), (-14.0, -1.0)), ((-23.0, -3.0), (-14.0, -1.0)), ((-9.0, 2.0), (-9.0, 1.0))]
)
def test_both_sides_are_brought_to_one_loudness_below_full_scale(
    a: tuple[float, float], b: tuple[float, float]
) -> None:
    sides = [side(*a), side(*b)]
    gains_db = [20 * np.log10(gain) for gain in matched_gains(sides)]
    assert sides[0].lufs + gains_db[0] == pytest.approx(sides[1].lufs + gains_db[1])
    assert all(gain_db <= 1e-9 for gain_db in gains_db)
    assert all(s.true_peak_dbtp + gain_db < -0.3 for s, gain_db in zip(sides, gains_db, strict=True))


@pytest.mark.parametrize(("rate", "channels"), [(44100, 2), (22050, 1), (8000, 2)])
def test_any_rate_becomes_the_page_s(rate: int, channels: int) -> None:
    sound = tone(300, 2.0, rate=rate)[:channels]
    back = np.concatenate(list(resampled(in_blocks(sound, 3001), rate, 24000, channels=1)), axis=1)
    assert back.shape == (1, pytest.approx(48000, abs=2))
    spectrum = np.abs(np.fft.rfft(back[0]))
    assert spectrum.argmax() / 2 == pytest.approx(300, abs=1)


@pytest.mark.parametrize(
    ("duration_s", "n_tracks"), [(10, 3), (300, 8), (300, 14), (590, 10), (1200, 8), (3600, 8)]
)
def test_a_page_fits(duration_s: float, n_tracks: int) -> None:
    plan = sound_plan(duration_s, n_tracks)
    kbps = 2 * plan.side_kbps + n_tracks * plan.track_kbps
    megabytes = kbps * 1000 / 8 * duration_s * 4 / 3 / 1e6
    assert megabytes < (25 if duration_s <= 300 else 40)
    assert bool(plan.note) == (not plan.track_kbps)

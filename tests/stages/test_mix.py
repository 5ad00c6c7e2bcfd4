"""Mix: the master has the wanted loudness and true peak, and the table's levels, places and effects."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rearrange.audio import Audio, loudness_lufs, true_peak_dbtp
from rearrange.errors import CancelledError, OutputError, TooLittleMusicError
from rearrange.genre import genre_names, load_genre
from rearrange.mixtable import Compressor, Delay, MixTable, Reverb, RoleMix, Sidechain, Tape
from rearrange.score import Arrangement, Key, Note, Role, Timeline, Track
from rearrange.stages.mix import MixReport, MixSettings, TrackSource, mix

RATE = 44100
BAR_S = 2.0
N_BARS = 4
N = round((N_BARS * BAR_S + 1.0) * RATE)
T = np.arange(N) / RATE
PLAYING = T < N_BARS * BAR_S


def source_of(sound: NDArray[np.float32]) -> TrackSource:
    def read(*, block_s: float = 10.0, start_s: float = 0.0) -> Iterator[NDArray[np.float32]]:
        n = round(block_s * RATE)
        for start in range(round(start_s * RATE), sound.shape[1], n):
            yield sound[:, start : start + n]

    return read


def plucks(hz: float, every_s: float, decay_s: float, level: float) -> NDArray[np.float32]:
    since = T % every_s
    tone = sum(np.sin(2 * np.pi * k * hz * since) / k for k in range(1, 8))
    return np.stack([level * PLAYING * np.exp(-since / decay_s) * tone] * 2).astype(np.float32)


def drums() -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    kick = np.exp(-(T % 0.5) / 0.07) * np.sin(2 * np.pi * 55 * (T % 0.5))
    hats = 0.3 * np.exp(-(T % 0.25) / 0.02) * rng.standard_normal(N)
    return np.stack([0.3 * PLAYING * (kick + hats)] * 2).astype(np.float32)


TRACKS: dict[str, tuple[Role, NDArray[np.float32]]] = {
    "Drums": (Role.DRUMS, drums()),
    "Bass": (Role.BASS, plucks(55, 0.5, 0.3, 0.02)),
    "Keys": (Role.CHORDS, plucks(220, 1.0, 0.5, 0.3)),
    "Strings": (Role.PAD, plucks(330, 4.0, 9.0, 0.05)),
    "Lead": (Role.MELODY, plucks(660, 0.5, 0.2, 0.1)),
    "Second": (Role.CHORDS, plucks(275, 1.0, 0.4, 0.1)),
}


def arrangement_of(names: list[str], *, kept: tuple[str, ...] = ()) -> Arrangement:
    kicks = tuple(Note(beat, 0.1, 36, 100) for beat in range(4 * N_BARS))
    tracks = tuple(
        Track(name, TRACKS[name][0], 0, TRACKS[name][0] is Role.DRUMS, kicks if name == "Drums" else ())
        for name in names
    )
    timeline = Timeline.constant(120, end_beat=4 * N_BARS)
    return Arrangement(timeline, "any", "any", Key(0, "major"), (), (), tracks, seed=5, kept_stems=kept)


def mixed(
    names: list[str],
    table: MixTable,
    settings: MixSettings = MixSettings(),
    sounds: Mapping[str, NDArray[np.float32]] | None = None,
    **options: Any,
) -> tuple[Audio, MixReport]:
    blocks: list[NDArray[np.float32]] = []
    sources = {name: source_of((sounds or {}).get(name, TRACKS[name][1])) for name in names}
    report = mix(arrangement_of(names), table, sources, settings, blocks.append, **options)
    return Audio(np.concatenate(blocks, axis=1), RATE), report


@pytest.mark.parametrize("genre", genre_names())
def test_every_genre_meets_loudness_and_true_peak(genre: str) -> None:
    audio, report = mixed(list(TRACKS), load_genre(genre).mix)
    assert loudness_lufs(audio) == pytest.approx(-14.0, abs=0.3)
    assert true_peak_dbtp(audio) <= -1.0
    assert report.loudness_lufs == pytest.approx(loudness_lufs(audio), abs=0.15)
    assert report.true_peak_dbtp == pytest.approx(true_peak_dbtp(audio), abs=0.3)
    assert np.abs(audio.samples[:, -100:]).max() < 0.01
    assert np.abs(audio.samples.mean(axis=1)).max() < 0.003  # no DC
    assert report.duration_s == pytest.approx(audio.duration_s)


@pytest.mark.parametrize("names", [["Drums"], ["Lead"], ["Strings"], ["Drums", "Bass"]])
def test_any_band_meets_them_too(names: list[str]) -> None:
    audio, _ = mixed(names, MixTable())
    assert loudness_lufs(audio) == pytest.approx(-14.0, abs=0.4)
    assert true_peak_dbtp(audio) <= -1.0


def test_other_targets_are_met() -> None:
    audio, _ = mixed(list(TRACKS), MixTable(), MixSettings(loudness_lufs=-20.0, true_peak_dbtp=-6.0))
    assert loudness_lufs(audio) == pytest.approx(-20.0, abs=0.3)
    assert true_peak_dbtp(audio) <= -6.0


def band_level_db(audio: Audio, hz: float, channel: int = 0) -> float:
    """Level of a partial of 16 Hz width."""
    n = 6 * RATE
    spectrum = np.square(np.abs(np.fft.rfft(audio.samples[channel, RATE : RATE + n])))
    at = round(hz * n / RATE)
    return float(10 * np.log10(spectrum[at - 48 : at + 48].sum() + 1e-12))


def test_level_is_relative_to_a_common_loudness_whatever_the_rendered_level() -> None:
    table = MixTable({Role.MELODY: RoleMix(level_db=0), Role.BASS: RoleMix(level_db=-6)})
    reference, _ = mixed(["Lead", "Bass"], table)
    louder = {"Bass": TRACKS["Bass"][1] * np.float32(7)}
    same, _ = mixed(["Lead", "Bass"], table, sounds=louder)
    np.testing.assert_allclose(same.samples, reference.samples, atol=2e-3)
    higher, _ = mixed(["Lead", "Bass"], replace(table, roles={Role.BASS: RoleMix(level_db=-3)}))
    gained = band_level_db(higher, 55) - band_level_db(higher, 660)
    assert gained - (band_level_db(reference, 55) - band_level_db(reference, 660)) == pytest.approx(3, abs=0.2)


def test_pan_puts_a_role_on_its_side_and_two_of_a_role_on_either() -> None:
    table = MixTable({Role.CHORDS: RoleMix(pan=-0.6)})
    audio, _ = mixed(["Keys", "Second"], table)
    assert band_level_db(audio, 220, 0) > band_level_db(audio, 220, 1) + 6
    assert band_level_db(audio, 275, 1) > band_level_db(audio, 275, 0) + 6


def test_sidechain_ducks_under_every_kick() -> None:
    duck = Sidechain(depth_db=12, release_ms=300, roles=(Role.PAD,))
    names = ["Drums", "Strings"]
    table = MixTable({Role.DRUMS: RoleMix(level_db=-50)}, sidechain=duck)
    audio, _ = mixed(names, table)
    level = np.sqrt(np.convolve(np.square(audio.samples[0]), np.ones(441) / 441, "same"))
    for beat in range(2, 14):
        on, off = (round((beat * 0.5 + after_s) * RATE) for after_s in (0.01, 0.4))
        assert 20 * np.log10(level[off] / level[on]) > 7
    steady, _ = mixed(["Strings"], table)  # without a kick drum nothing ducks
    level = np.sqrt(np.convolve(np.square(steady.samples[0]), np.ones(441) / 441, "same"))
    assert level[round(2.41 * RATE)] == pytest.approx(level[round(2.6 * RATE)], rel=0.3)


def test_reverb_and_echo_ring_after_the_last_note() -> None:
    stab = TRACKS["Lead"][1] * (T < 0.45)
    _, dry_report = mixed(["Lead"], MixTable(), sounds={"Lead": stab})
    wet_table = MixTable({Role.MELODY: RoleMix(reverb_db=-6)}, reverb=Reverb("hall", 2.0))
    wet, wet_report = mixed(["Lead"], wet_table, sounds={"Lead": stab})
    assert wet_report.duration_s > dry_report.duration_s + 0.5
    after = slice(round(0.8 * RATE), round(1.0 * RATE))
    assert np.abs(wet.samples[:, after]).max() > 0.01
    assert dry_report.duration_s == pytest.approx(0.75, abs=0.1)
    echo_table = MixTable({Role.MELODY: RoleMix(delay_db=-6)}, delay=Delay(beats=2.0, feedback=0.0))
    echo, _ = mixed(["Lead"], echo_table, sounds={"Lead": stab})
    assert not np.abs(echo.samples[:, round(0.7 * RATE) : round(0.95 * RATE)]).max() > 0.01
    assert np.abs(echo.samples[:, round(1.0 * RATE) : round(1.1 * RATE)]).max() > 0.05


def test_the_mix_starts_with_the_timeline() -> None:
    late = TRACKS["Lead"][1] * (T >= 1.0)
    table = MixTable({Role.MELODY: RoleMix(compress=Compressor(-20, 3), drive=0.8)}, tape=Tape(saturation=0.5))
    audio, _ = mixed(["Lead"], table, sounds={"Lead": late})
    level = np.abs(audio.samples[0])
    assert np.argmax(level > 0.05 * level.max()) / RATE == pytest.approx(1.0, abs=0.003)


def test_tape_noise_is_where_the_table_puts_it_and_the_same_for_a_seed() -> None:
    table = MixTable(tape=Tape(noise_db=-50))
    gap = TRACKS["Keys"][1] * ((T < 2.9) | (T > 5))
    first, _ = mixed(["Keys"], table, sounds={"Keys": gap})
    noise = first.samples[:, round(3.5 * RATE) : round(4.9 * RATE)]
    assert 20 * np.log10(noise.std()) == pytest.approx(-50, abs=3)
    second, _ = mixed(["Keys"], table, sounds={"Keys": gap})
    np.testing.assert_array_equal(first.samples, second.samples)


def test_kept_vocals_use_their_own_strip() -> None:
    blocks: list[NDArray[np.float32]] = []
    sources = {"Keys": source_of(TRACKS["Keys"][1]), "vocals": source_of(TRACKS["Lead"][1][:1])}
    table = MixTable(vocals=RoleMix(level_db=6, pan=1.0))
    mix(arrangement_of(["Keys"], kept=("vocals",)), table, sources, MixSettings(), blocks.append)
    audio = Audio(np.concatenate(blocks, axis=1), RATE)
    assert band_level_db(audio, 1980, 1) > band_level_db(audio, 1980, 0) + 20


def test_muted_and_silent_tracks_are_left_out() -> None:
    names = ["Keys", "Lead"]
    sources = {"Keys": source_of(TRACKS["Keys"][1])}
    blocks: list[NDArray[np.float32]] = []
    mix(arrangement_of(names), MixTable(), sources, MixSettings(), blocks.append)
    alone, _ = mixed(["Keys"], MixTable())
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), alone.samples)
    with_silence, _ = mixed(names, MixTable(), sounds={"Lead": np.zeros((2, N), np.float32)})
    np.testing.assert_array_equal(with_silence.samples, alone.samples)


def test_known_loudness_is_not_measured_again() -> None:
    reads: list[float] = []
    keys = source_of(TRACKS["Keys"][1])

    def counted(*, block_s: float = 10.0, start_s: float = 0.0) -> Iterator[NDArray[np.float32]]:
        reads.append(start_s)
        return keys(block_s=block_s, start_s=start_s)

    mix(
        arrangement_of(["Keys"]),
        MixTable(),
        {"Keys": counted},
        MixSettings(),
        lambda _: None,
        track_lufs={"Keys": -20.0},
    )
    assert reads == [0.0]


def test_tracks_of_different_lengths_are_played_to_the_end_of_the_longest() -> None:
    short = {"Lead": TRACKS["Lead"][1][:, : 3 * RATE]}
    audio, _ = mixed(["Lead", "Keys"], MixTable(), sounds=short)
    assert audio.duration_s > 7
    assert np.abs(audio.samples[:, 6 * RATE :]).max() > 0.05


def test_nothing_but_silence_is_told() -> None:
    with pytest.raises(TooLittleMusicError, match="silent"):
        mixed(["Keys"], MixTable(), sounds={"Keys": np.zeros((2, N), np.float32)})


def test_unknown_track_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="Kazoo"):
        mix(
            arrangement_of(["Keys"]),
            MixTable(),
            {"Kazoo": source_of(TRACKS["Keys"][1])},
            MixSettings(),
            lambda _: None,
        )


def test_no_room_for_the_temporary_file_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class FullDisk(tempfile.SpooledTemporaryFile):  # type: ignore[type-arg]
        def write(self, data: Any) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", FullDisk)
    with pytest.raises(OutputError, match="No space left"):
        mixed(["Keys"], MixTable())


def test_cancelling_and_failing_writers_pass_through() -> None:
    def stop(fraction: float, message: str) -> None:
        if fraction > 0.3:
            raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        mixed(list(TRACKS), MixTable(), progress=stop)

    def full(_: NDArray[np.float32]) -> None:
        raise OutputError("full")

    with pytest.raises(OutputError, match="full"):
        mix(arrangement_of(["Keys"]), MixTable(), {"Keys": source_of(TRACKS["Keys"][1])}, MixSettings(), full)


def test_progress_rises_to_one() -> None:
    seen: list[float] = []
    mixed(["Keys"], MixTable(), progress=lambda fraction, _: seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0

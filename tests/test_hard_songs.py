"""Songs that are hardly songs, through the real pipeline: each becomes music, or ends in one clear line."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rearrange.audio import Audio, write_audio
from rearrange.score import Metre, Note, Role, Score, Timeline, Track, sorted_notes
from rearrange.workspace import Workspace
from tests.command_line import Cli, cli
from tests.songs import band_song
from tests.sounds import band

__all__ = ["cli"]  # a fixture

pytestmark = pytest.mark.slow

RATE = 44100


def saved(name: str, sound: Audio) -> Path:
    path = Path(name)
    write_audio(path, sound)
    return path


def of_noise(seconds: float, level: float) -> Audio:
    samples = level * np.random.default_rng(0).normal(size=(2, round(seconds * RATE)))
    return Audio(np.clip(samples, -1, 1).astype(np.float32), RATE)


def only(song: Score, *roles: Role) -> Score:
    return replace(song, tracks=tuple(track for track in song.tracks if track.role in roles))


def with_beat(song: Score) -> Score:
    """Drums that say what the metre is: a kick on each first beat, a snare on the others, hats between."""
    hits = []
    for bar in song.timeline.bars:
        compound = bar.metre.denominator == 8
        unit = 1.5 if compound else 1.0
        for i in range(round(bar.duration_beat / unit)):
            at = bar.onset_beat + i * unit
            hits.append(Note(at, 0.25, 36 if i == 0 else 38, 105 if i == 0 else 85))
            steps = (0, 0.5, 1.0) if compound else (0, 0.5)
            hits += [Note(at + step, 0.1, 42, 60) for step in steps]
    drums = Track("drums", Role.DRUMS, 0, True, sorted_notes(hits))
    return replace(song, tracks=(*(t for t in song.tracks if t.role is not Role.DRUMS), drums))


def converted(cli: Cli, path: Path, genre: str) -> Score:
    done = cli("convert", path, "-g", genre, "--json")
    assert done.code == 0, done.line
    assert Path(done.json["output"]).stat().st_size > 10_000
    return Workspace(Path(done.json["workspace"])).read_score()


def test_a_fifth_of_a_second(cli: Cli) -> None:
    done = cli("convert", saved("blip.wav", of_noise(0.2, 0.1)), "-g", "pop")
    assert done.code == 1
    assert "[too-little-music]" in done.line or "[audio-format]" in done.line
    assert not Path("blip.pop.wav").exists()


def test_ten_minutes_of_silence(cli: Cli) -> None:
    silence = Audio(np.zeros((1, 600 * 8000), dtype=np.float32), 8000)
    done = cli("convert", saved("silence.wav", silence), "-g", "pop")
    assert done.code == 1
    assert "[too-little-music]" in done.line
    assert not Path("silence.pop.wav").exists()


def test_pure_noise(cli: Cli) -> None:
    done = cli("convert", saved("noise.wav", of_noise(12.0, 0.2)), "-g", "rock")
    assert done.code in (0, 1)
    if done.code:
        assert "[too-little-music]" in done.line


def test_solo_drums(cli: Cli) -> None:
    song = only(with_beat(band_song(n_bars=8)), Role.DRUMS)
    score = converted(cli, saved("drums.wav", band(song)), "funk")
    drums = score.track(Role.DRUMS)
    assert drums is not None
    assert len(drums.notes) > 32
    assert score.timeline.mean_tempo_bpm == pytest.approx(110.0, abs=2.0)


def test_a_voice_alone(cli: Cli) -> None:
    """Nobody plays along, and the tune is a sine: it is still heard and kept."""
    song = only(band_song(n_bars=8), Role.MELODY)
    score = converted(cli, saved("tune.wav", band(song)), "bossa-nova")
    melody = score.track(Role.MELODY)
    assert melody is not None
    assert {note.pitch % 12 for note in melody.notes} >= {0, 4, 7, 9, 5}


def test_no_drums(cli: Cli) -> None:
    song = only(band_song(n_bars=8), Role.MELODY, Role.BASS, Role.CHORDS)
    score = converted(cli, saved("trio.wav", band(song)), "disco")
    assert [chord.root for chord in score.chords][:2] == [0, 9] or len(score.chords) >= 4
    assert str(score.key) in ("C major", "A minor", "F major", "G major")


@pytest.mark.parametrize("metre", [Metre(3, 4), Metre(6, 8)], ids=str)
def test_other_metres(cli: Cli, metre: Metre) -> None:
    song = with_beat(band_song(n_bars=12, metre=metre))
    score = converted(cli, saved("waltz.wav", band(song)), "jazz")
    assert score.timeline.metres[0][1] == metre


def test_a_tempo_that_drifts(cli: Cli) -> None:
    song = with_beat(band_song(n_bars=12))
    beats = np.arange(49.0)
    periods_s = 60.0 / np.linspace(100.0, 118.0, 48)
    drifting = Timeline(
        tuple(float(beat) for beat in beats),
        (0.0, *(float(time_s) for time_s in np.cumsum(periods_s))),
        song.timeline.metres,
        song.timeline.end_beat,
    )
    path = saved("drift.wav", band(replace(song, timeline=drifting)))
    score = converted(cli, path, "folk")
    n = int(score.timeline.end_beat)
    early, late = (
        np.median([score.timeline.tempo_bpm(b) for b in span]) for span in (range(2, 8), range(n - 8, n))
    )
    assert early == pytest.approx(102.0, abs=5.0)
    assert late == pytest.approx(116.0, abs=5.0)


def test_a_truncated_mp3(cli: Cli) -> None:
    whole = saved("whole.mp3", band(band_song(n_bars=8)))
    part = Path("part.mp3")
    part.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    score = converted(cli, part, "country")
    assert 3 <= len(score.timeline.bars) <= 6


@pytest.mark.parametrize(("channels", "rate"), [(1, 8000), (8, 48000), (2, 192000)])
def test_other_channels_and_rates(cli: Cli, channels: int, rate: int) -> None:
    from rearrange.audio import resample

    sound = resample(band(band_song(n_bars=6)), rate).mono()
    path = Path("odd.wav")
    import soundfile

    soundfile.write(path, np.repeat(sound.samples, channels, axis=0).T, rate, subtype="FLOAT")
    converted(cli, path, "lo-fi")

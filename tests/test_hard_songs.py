"""Songs that are hardly songs, through the real pipeline: each becomes music, or ends in one clear line."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rearrange.audio import Audio, write_audio
from rearrange.errors import TooLittleMusicError
from rearrange.score import Metre, Note, NoteEvent, Role, Score, Timeline, Track, sorted_notes
from rearrange.stages.analyse import analyse
from rearrange.stages.separate import separate
from rearrange.stages.transcribe import transcribe
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


@dataclass(frozen=True)
class Heard:
    """What the ears make of a sound: notes by stem, and the song; None where they say that there is none."""

    notes: dict[str, tuple[NoteEvent, ...]]
    song: Score | None

    @property
    def sureness(self) -> float:
        """How sure the beats are; 0 where there is no song."""
        return 0.0 if self.song is None else self.song.timeline.confidence


def heard(sound: Audio) -> Heard:
    performance = transcribe(separate(sound))
    notes = {part.name: part.notes for part in performance.parts}
    try:
        return Heard(notes, analyse(performance, sound))
    except TooLittleMusicError:
        return Heard(notes, None)


@cache
def the_band() -> Heard:
    return heard(band(with_beat(band_song(n_bars=8))))


def roots(song: Score | None) -> list[int]:
    assert song is not None
    return [chord.root for chord in song.chords]


def shellac(n_samples: int) -> NDArray[np.float32]:
    """A record of 78 turns: a rushing that falls with frequency, the same clicks once a turn, and others."""
    rng = np.random.default_rng(1)
    rushing = np.fft.rfft(rng.standard_normal(n_samples))
    rushing /= np.sqrt(np.maximum(np.fft.rfftfreq(n_samples, 1 / RATE), 30.0))
    out = np.fft.irfft(rushing, n_samples)
    out *= 0.02 / out.std()
    turn = round(60 / 78 * RATE)
    for at in (*rng.integers(0, n_samples - 100, n_samples // 9000), *range(5000, n_samples - 100, turn)):
        out[at : at + 60] += rng.uniform(0.02, 0.15) * np.exp(-np.arange(60) / 12) * rng.choice((-1, 1))
    return np.stack([out, out]).astype(np.float32)


def speech(seconds: float) -> Audio:
    """Somebody who talks: syllables of any length whose pitch falls, hisses between, and rests for breath."""
    from scipy.signal import lfilter

    rng = np.random.default_rng(3)
    out = np.zeros(round(seconds * RATE))
    at_s = 0.2
    while at_s < seconds - 0.6:
        length = round(rng.uniform(0.09, 0.28) * RATE)
        first_hz, last_hz = rng.uniform(110, 170), rng.uniform(80, 120)
        turns = np.cumsum(np.geomspace(first_hz, last_hz, length)) / RATE
        sound = np.diff(np.floor(turns), prepend=0.0)
        for hz in (rng.uniform(300, 800), rng.uniform(900, 2200), 2600.0):
            radius = np.exp(-np.pi * 100.0 / RATE)
            sound = lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * hz / RATE), radius**2], sound)
        sound *= np.sqrt(np.sin(np.pi * np.arange(length) / length)) / np.abs(sound).max()
        hiss = 0.1 * np.diff(rng.standard_normal(round(rng.uniform(0.03, 0.08) * RATE)))
        start = round(at_s * RATE)
        out[start : start + len(hiss)] += hiss
        out[start + len(hiss) : start + len(hiss) + length] += sound
        at_s += (len(hiss) + length) / RATE + rng.exponential(0.05)
        at_s += rng.uniform(0.3, 0.8) if rng.random() < 0.15 else 0.0
    return Audio(np.stack([out, out]).astype(np.float32) * np.float32(0.3 / np.abs(out).max()), RATE)


@pytest.mark.parametrize("level", [0.0, 1e-5])
def test_silence_has_no_notes(level: float) -> None:
    found = heard(of_noise(8.0, level))
    assert not any(found.notes.values())
    assert found.song is None


@pytest.mark.parametrize("role", [Role.MELODY, Role.CHORDS, Role.BASS])
def test_one_instrument_is_not_heard_as_a_band(role: Role) -> None:
    song = only(band_song(n_bars=8), role)
    found = heard(band(song))
    assert len(found.notes["drums"]) <= 2
    played = {note.pitch % 12 for track in song.tracks for note in track.notes}
    if role is Role.BASS:  # nothing else sounds: its twelfths are heard as notes
        played |= {(pitch + 7) % 12 for pitch in played}
    pitched = [note for stem, notes in found.notes.items() if stem != "drums" for note in notes]
    strength = {True: 0.0, False: 0.0}
    for note in pitched:
        strength[note.pitch % 12 in played] += note.duration_s * note.velocity
    assert strength[True] > 9 * strength[False]
    assert found.sureness < max(the_band().sureness, 0.3)


def test_a_tune_alone_has_no_bass() -> None:
    found = heard(band(only(band_song(n_bars=8), Role.MELODY)))
    assert len(found.notes["bass"]) <= 1


def test_without_drums_none_are_heard() -> None:
    found = heard(band(only(band_song(n_bars=8), Role.MELODY, Role.BASS, Role.CHORDS)))
    assert len(found.notes["drums"]) <= 2
    assert found.notes["vocals"]
    assert found.notes["bass"]


def test_drums_alone_have_no_tune() -> None:
    found = heard(band(only(with_beat(band_song(n_bars=8)), Role.DRUMS)))
    assert len(found.notes["drums"]) > 60
    assert len(found.notes["vocals"]) <= 2
    assert len(found.notes["bass"]) + len(found.notes["other"]) <= 4
    assert found.song is None or found.song.key.confidence < 0.3


@pytest.mark.parametrize("sound", [Audio(shellac(12 * RATE), RATE), speech(12.0)], ids=["record", "speech"])
def test_what_is_no_music_has_no_tune_and_nobody_is_sure_of_its_beat(sound: Audio) -> None:
    found = heard(sound)
    assert len(found.notes["vocals"]) <= 3
    assert found.sureness < 0.6 * the_band().sureness
    assert found.song is None or found.song.key.confidence < 0.4


def test_an_old_record_keeps_its_chords() -> None:
    trio = band(only(band_song(n_bars=8), Role.MELODY, Role.BASS, Role.CHORDS))
    found = heard(Audio(trio.samples + shellac(trio.n_samples), RATE))
    assert roots(found.song)[:4] == [0, 9, 5, 7]
    assert found.song is not None
    assert str(found.song.key) == "C major"


@pytest.mark.parametrize("what", ["clipped", "mono"])
def test_a_master_that_is_clipped_or_mono_is_the_same_song(what: str) -> None:
    clean = band(with_beat(band_song(n_bars=8)))
    loud = np.clip(6 * clean.samples, -1, 1)
    found = heard(Audio(loud, RATE) if what == "clipped" else clean.mono())
    assert roots(found.song)[:4] == roots(the_band().song)[:4] == [0, 9, 5, 7]
    assert len(found.notes["drums"]) == pytest.approx(len(the_band().notes["drums"]), rel=0.3)
    tunes = [{note.pitch % 12 for note in each.notes["vocals"]} for each in (found, the_band())]
    assert tunes[0] == tunes[1]

"""Stems made of tones and noise at known times, through the whole stage."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest

from rearrange.audio import Audio, read_audio
from rearrange.errors import CancelledError, UsageError
from rearrange.pipeline.stages import STAGES
from rearrange.score import NoteEvent, Part, Performance, Role
from rearrange.stages.transcribe import TranscribeSettings, transcribe
from tests.tones import FloatArray, hat, kick, placed, snare, tone

RATE = 44_100
BEAT_S = 0.5
LENGTH_S = 8.6
MELODY = (72, 74, 76, 79, 77, 76, 74, 72)
BASS = (36, 43, 33, 40, 41, 36, 43, 31)
CHORDS = ((60, 64, 67), (57, 60, 64), (53, 57, 60), (55, 59, 62))

Timed = tuple[float, int]


def timed(part: str) -> list[Timed]:
    """(onset_s, pitch) of what is played."""
    if part == "vocals":
        return [(0.2 + 2 * i * BEAT_S, pitch) for i, pitch in enumerate(MELODY)]
    if part == "bass":
        return [(0.2 + 2 * i * BEAT_S, pitch) for i, pitch in enumerate(BASS)]
    return [(0.2 + 4 * i * BEAT_S, pitch) for i, chord in enumerate(CHORDS) for pitch in chord]


def stereo(samples: FloatArray) -> Audio:
    return Audio(np.stack([samples, samples]), RATE)


def band() -> dict[str, Audio]:
    rng = np.random.default_rng(0)
    lengths = {"bass": 0.9, "other": 1.9, "vocals": 0.9}
    stems = {
        name: stereo(placed([(at, tone(pitch, lengths[name], RATE)) for at, pitch in timed(name)], LENGTH_S, RATE))
        for name in lengths
    }
    hits = []
    for i in range(32):
        at = 0.2 + i * BEAT_S / 2
        hits.append((at, hat(RATE, rng)))
        if i % 4 == 0:
            hits.append((at, kick(RATE)))
        elif i % 4 == 2:
            hits.append((at, snare(RATE, rng)))
    return {"drums": stereo(placed(hits, LENGTH_S, RATE)), **stems}


@pytest.fixture(scope="module")
def stems() -> dict[str, Audio]:
    return band()


@pytest.fixture(scope="module")
def performance(stems: dict[str, Audio]) -> Performance:
    return transcribe(stems)


def notes_of(performance: Performance, name: str) -> tuple[NoteEvent, ...]:
    part = performance.part(name)
    assert part is not None
    return part.notes


def f1(heard: tuple[NoteEvent, ...], played: list[Timed], tolerance_s: float = 0.05) -> float:
    left = list(played)
    for note in heard:
        match = next((p for p in left if p[1] == note.pitch and abs(p[0] - note.onset_s) < tolerance_s), None)
        if match is not None:
            left.remove(match)
    return 2 * (len(played) - len(left)) / (len(played) + len(heard))


def test_every_stem_is_a_part_with_its_role(performance: Performance, stems: dict[str, Audio]) -> None:
    assert [(part.name, part.role, part.is_drum) for part in performance.parts] == [
        ("bass", Role.BASS, False),
        ("other", Role.CHORDS, False),
        ("vocals", Role.MELODY, False),
        ("drums", Role.DRUMS, True),
    ]
    assert performance.duration_s == pytest.approx(stems["bass"].duration_s, abs=1e-3)


def test_the_melody_is_heard(performance: Performance) -> None:
    assert f1(notes_of(performance, "vocals"), timed("vocals")) >= 0.9


def test_the_bass_is_heard(performance: Performance) -> None:
    assert f1(notes_of(performance, "bass"), timed("bass")) >= 0.8


def test_the_chords_are_heard(performance: Performance) -> None:
    assert f1(notes_of(performance, "other"), timed("other")) >= 0.85


def test_durations_are_sane(performance: Performance) -> None:
    lengths = [note.duration_s for note in notes_of(performance, "vocals")]
    assert np.median(lengths) == pytest.approx(0.9, abs=0.15)


def test_the_drums_are_heard(performance: Performance) -> None:
    hits = notes_of(performance, "drums")
    for pitch, step in ((36, 0), (38, 2)):
        times = [hit.onset_s for hit in hits if hit.pitch == pitch]
        assert times == pytest.approx([0.2 + i * BEAT_S / 2 for i in range(step, 32, 4)], abs=0.01)


def valid(part: Part, duration_s: float) -> Iterator[bool]:
    yield list(part.notes) == sorted(part.notes, key=lambda note: (note.onset_s, note.pitch))
    for note in part.notes:
        yield 0.0 <= note.onset_s < duration_s
        yield note.duration_s > 0.0
        yield 0 <= note.pitch <= 127
        yield 1 <= note.velocity <= 127
        yield 0.0 <= note.confidence <= 1.0
        yield isinstance(note.pitch, int) and isinstance(note.velocity, int)
        yield type(note.onset_s) is float and type(note.duration_s) is float and type(note.confidence) is float


def test_parts_are_valid_and_plain(performance: Performance) -> None:
    assert all(ok for part in performance.parts for ok in valid(part, performance.duration_s))


def test_lines_have_one_note_at_a_time(performance: Performance) -> None:
    for name in ("vocals", "bass"):
        line = notes_of(performance, name)
        assert all(before.onset_s + before.duration_s <= after.onset_s + 1e-9 for before, after in pairwise(line))


def test_loud_notes_are_loud() -> None:
    gains = (0.03, 0.3) * 4
    sounds = [(0.2 + i * 0.6, tone(60, 0.5, RATE, gain=gain)) for i, gain in enumerate(gains)]
    notes = notes_of(transcribe({"other": stereo(placed(sounds, 5.2, RATE))}), "other")
    of_pitch = [note for note in notes if note.pitch == 60]
    loud = [note.velocity for note in of_pitch if round((note.onset_s - 0.2) / 0.6) % 2]
    soft = [note.velocity for note in of_pitch if not round((note.onset_s - 0.2) / 0.6) % 2]
    assert loud
    assert soft
    assert min(loud) > max(soft) + 20


def test_a_low_bass_is_heard_as_low_as_it_is() -> None:
    sounds = [(0.2 + i * 0.6, tone(26, 0.5, RATE, gain=0.4)) for i in range(4)]
    notes = notes_of(transcribe({"bass": stereo(placed(sounds, 3.0, RATE))}), "bass")
    assert notes
    assert {note.pitch for note in notes} == {26}


def test_leakage_is_not_taken_for_a_part(stems: dict[str, Audio]) -> None:
    bled = {name: Audio(0.002 * stem.samples, RATE) for name, stem in stems.items()}
    performance = transcribe({**bled, "other": stems["other"]})
    assert notes_of(performance, "other")
    for name in ("vocals", "bass", "drums"):
        assert notes_of(performance, name) == ()


def test_what_stands_beside_the_voice_is_accompaniment(stems: dict[str, Audio]) -> None:
    centre = Audio(stems["vocals"].samples + 0.7 * stems["other"].samples, RATE)
    silence = Audio(np.zeros_like(centre.samples), RATE)
    performance = transcribe({"other": silence, "vocals": centre})
    assert f1(notes_of(performance, "other"), timed("other")) >= 0.6


def test_it_is_the_same_twice(stems: dict[str, Audio], performance: Performance) -> None:
    assert transcribe(stems) == performance


@pytest.mark.parametrize("sample_rate", [8000, 48_000])
def test_any_sample_rate(sample_rate: int) -> None:
    sounds = [(0.2 + i * 0.6, tone(64 + i, 0.5, sample_rate)) for i in range(4)]
    audio = Audio(placed(sounds, 3.0, sample_rate)[np.newaxis], sample_rate)
    performance = transcribe({"other": audio, "drums": Audio(0.01 * audio.samples, sample_rate)})
    assert f1(notes_of(performance, "other"), [(0.2 + i * 0.6, 64 + i) for i in range(4)]) >= 0.8


@pytest.mark.parametrize("n_samples", [0, 1, round(0.2 * RATE), 3 * RATE])
def test_silence_of_any_length_is_empty(n_samples: int) -> None:
    silence = Audio(np.zeros((2, n_samples), np.float32), RATE)
    performance = transcribe(dict.fromkeys(("drums", "bass", "other", "vocals"), silence))
    assert [part.notes for part in performance.parts] == [(), (), (), ()]


def test_a_fifth_of_a_second_of_sound() -> None:
    rng = np.random.default_rng(1)
    noise = Audio(0.1 * rng.standard_normal((2, round(0.2 * RATE))).astype(np.float32), RATE)
    performance = transcribe(dict.fromkeys(("drums", "bass", "other", "vocals"), noise))
    assert all(ok for part in performance.parts for ok in valid(part, performance.duration_s + 1e-6))


def test_no_stems_no_parts() -> None:
    assert transcribe({}) == Performance((), 0.0)


def test_each_stem_is_asked_for_once(stems: dict[str, Audio]) -> None:
    names: list[str] = []

    class Asked(Mapping[str, Audio]):
        def __getitem__(self, name: str) -> Audio:
            names.append(name)
            return Audio(stems[name].samples[:, :RATE], RATE)

        def __iter__(self) -> Iterator[str]:
            return iter(stems)

        def __len__(self) -> int:
            return len(stems)

    transcribe(Asked())
    assert sorted(names) == sorted(stems)


def test_progress_rises_to_one_and_can_cancel(stems: dict[str, Audio]) -> None:
    seen: list[float] = []
    transcribe(stems, progress=lambda fraction, _message: seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0

    def stop(fraction: float, message: str) -> None:
        if fraction > 0.3:
            raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        transcribe(stems, progress=stop)


def test_settings_are_plain_and_checked() -> None:
    settings = TranscribeSettings()
    assert TranscribeSettings(**json.loads(json.dumps(asdict(settings)))) == settings
    for name in get_type_hints(TranscribeSettings):
        with pytest.raises(UsageError, match=name):
            TranscribeSettings(**{name: 1.5})


def test_a_higher_threshold_hears_fewer_notes(stems: dict[str, Audio]) -> None:
    counts = [
        len(notes_of(transcribe({"other": stems["other"]}, TranscribeSettings(note_threshold=threshold)), "other"))
        for threshold in (0.2, 0.5, 0.9)
    ]
    assert counts == sorted(counts, reverse=True)


def test_the_networks_are_among_what_the_stage_depends_on() -> None:
    stage = next(stage for stage in STAGES if stage.name == "transcribe")
    files = stage.outside(None, TranscribeSettings())  # type: ignore[arg-type]
    assert {"basic-pitch", "notes: config.json", "notes: weights.safetensors"} <= {
        name.removeprefix("model ") for name in files
    }
    assert all(path.is_file() for path in files.values())


def test_librosa_and_numba_are_not_on_the_path() -> None:
    code = (
        "import sys, numpy as np\n"
        "from rearrange.audio import Audio\n"
        "from rearrange.stages.transcribe import transcribe\n"
        "noise = Audio(np.random.default_rng(0).normal(0, 0.1, (2, 44100)).astype(np.float32), 44100)\n"
        "transcribe(dict.fromkeys(('drums', 'bass', 'other', 'vocals'), noise))\n"
        "found = {'librosa', 'numba', 'basic_pitch'} & set(sys.modules)\n"
        "assert not found, found\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.shared
@pytest.mark.slow
def test_recorded_drums() -> None:
    """Kick, snare and hat of a recorded kit in its band, by F1 at 50 ms."""
    default = Path(__file__).resolve().parents[2].parent / "shared"
    folder = Path(os.environ.get("REARRANGE_SHARED", default)) / "data" / "audio" / "mdb" / "Zeppelin"
    if not folder.is_dir():
        pytest.skip("the shared recordings are not here")
    stems = {name: read_audio(folder / f"{name}.flac") for name in ("drums", "bass", "other")}
    hits = notes_of(transcribe(stems), "drums")
    lines = [line.split() for line in (folder / "drums_class.txt").read_text().splitlines() if line.strip()]
    for label, pitches in (("KD", {36}), ("SD", {38}), ("HH", {42, 46})):
        played = [(float(at), 0) for at, name in lines if name == label]
        heard = tuple(NoteEvent(hit.onset_s, 0.1, 0, 80) for hit in hits if hit.pitch in pitches)
        assert f1(heard, played) >= 0.85, label

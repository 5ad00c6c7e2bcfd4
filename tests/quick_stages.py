"""Stages that are quick: the real records, with functions that read and write the same artefacts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import soundfile

from rearrange.pipeline.engine import Stage
from rearrange.pipeline.song import Song
from rearrange.pipeline.stages import STAGES
from rearrange.progress import Progress
from rearrange.score import Arrangement, Key, Note, NoteEvent, Part, Performance, Role, Score, Timeline, Track

NOTE = Track("Piano", Role.CHORDS, 0, False, (Note(0.0, 1.0, 60, 80),))
TIMELINE = Timeline.constant(120.0, end_beat=4.0)


@dataclass(frozen=True)
class Plain:
    seed: int = 0
    separator: str = "a"


def separate(song: Song, settings: Any, progress: Progress) -> Mapping[str, object]:
    progress(0.5, "half")
    sound = np.full((2, 800), 0.1 * len(getattr(settings, "separator", "")), np.float32)
    song.workspace.write_stems([{"vocals": sound, "bass": sound}], 8000)
    return {"duration_s": 0.1}


def transcribe(song: Song, settings: Any, progress: Progress) -> Mapping[str, object]:
    pitch = 60 + round(10 * float(song.workspace.read_stems()["bass"].samples[0, 0]))
    song.workspace.write_performance(Performance((Part("bass", (NoteEvent(0.0, 0.1, pitch, 80),)),), 0.1))
    return {}


def analyse(song: Song, settings: Any, progress: Progress) -> Mapping[str, object]:
    notes = () if song.is_midi else song.workspace.read_performance().parts[0].notes
    track = Track("bass", Role.BASS, 33, False, tuple(Note(0.0, 1.0, n.pitch, 80) for n in notes))
    song.workspace.write_score(Score(TIMELINE, Key(0, "major"), (), (), (track,), title=song.source.title))
    return {"tempo_bpm": 120.0}


def arrange(song: Song, settings: Any, progress: Progress) -> Mapping[str, object]:
    score = song.workspace.read_score()
    song.to_arrange.write_arrangement(
        Arrangement(
            TIMELINE, "x", "y", score.key, (), (), (*score.tracks, NOTE), seed=getattr(settings, "seed", 0)
        ),
        title=song.source.title,
    )
    return {"seed": getattr(settings, "seed", 0)}


def render(song: Song, settings: Any, progress: Progress) -> Mapping[str, object]:
    files = song.to_arrange.track_files()
    for track in song.to_arrange.read_arrangement().tracks:
        with files.open(track.name, 8000) as writer:
            writer.write(np.full((2, 80), track.notes[0].pitch / 200, np.float32) if track.notes else NO_SOUND)
    return {"tracks": len(files)}


NO_SOUND = np.zeros((2, 80), np.float32)


def mix(song: Song, settings: Any, progress: Progress) -> Mapping[str, object]:
    sound = sum(soundfile.read(path)[0] for path in song.to_arrange.track_files().values())
    soundfile.write(song.to_arrange.mix_path, sound, 8000)
    return {}


FUNCTIONS = {
    "separate": separate,
    "transcribe": transcribe,
    "analyse": analyse,
    "arrange": arrange,
    "render": render,
    "mix": mix,
}


def stages(*, real_settings: bool = False, **replaced: Callable[..., Mapping[str, object]]) -> list[Stage]:
    """The real records with quick functions, and with settings of a kind that any stage may have."""
    return [
        replace(
            stage,
            settings_type=stage.settings_type if real_settings else Plain,
            function=replaced.get(stage.name, FUNCTIONS[stage.name]),
            outside=lambda _song, _settings: {},
        )
        for stage in STAGES
    ]

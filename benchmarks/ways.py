"""The steps of a conversion, by hand and by this program: done once, checked, and what that cost.

By hand: the commands `demucs`, `basic-pitch` (its ONNX model) and `fluidsynth`. Ours: the stages' own commands.
Both get the same files: the song, the same stems to transcribe, the same arrangement to play with one soundfont.
"""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.clock import REARRANGE, CommandFailed, Run, fresh_run
from benchmarks.outcome import check_notes, check_sounds, last_note_s
from benchmarks.stages import stage_seconds

__all__ = ["PITCHED", "Bench", "added", "missing", "tool"]

_STEMS = 4
PITCHED = ("vocals", "bass", "other")  # by hand nobody transcribes drums: basic-pitch hears pitches
_MADE_FROM = {  # what a stage makes, and all that follows it
    "transcribe": (
        "performance.*",
        "transcribe.json",
        "analysis.json",
        "analyse.json",
        "score.mid",
        "arrangements",
    ),
    "render": ("tracks", "tracks.json", "render.json", "mix.json", "mix.wav"),
}


@dataclass(frozen=True)
class Bench:
    """What all ways start from; each method is a way and takes an empty folder.

    Parameters
    ----------
    song : the recording, `song_s` seconds long
    repository, net : a Demucs repository and the name of its model
    done : a workspace in which the song has been converted to `genre`
    soundfont : the one that both sides play
    tracks : the arrangement's tracks, a MIDI file each

    Raises
    ------
    CommandFailed : of every method: a command fails, or its files are missing or too short.
    """

    song: Path
    song_s: float
    repository: Path
    net: str
    done: Path
    genre: str
    soundfont: Path
    tracks: tuple[Path, ...]

    @property
    def arrangement(self) -> Path:
        return self.done / "arrangements" / self.genre / "arrangement.mid"

    # --- by hand

    def demucs(self, folder: Path) -> Run:
        options = ("--repo", str(self.repository), "-n", self.net, "-o", str(folder))
        run = fresh_run((tool("demucs"), *options, str(self.song)))
        check_sounds(sorted(folder.rglob("*.wav")), wanted=_STEMS, at_least_s=self.song_s)
        return run

    def basic_pitch(self, folder: Path) -> Run:
        stems = [str(self.done / "stems" / f"{name}.flac") for name in PITCHED]
        run = fresh_run((tool("basic-pitch"), "--model-serialization", "onnx", str(folder), *stems))
        check_notes(sorted(folder.glob("*.mid")), wanted=len(PITCHED), song_s=self.song_s)
        return run

    def fluidsynth_tracks(self, folder: Path) -> Run:
        return added([self._fluidsynth(midi, folder / f"{midi.stem}.wav") for midi in self.tracks])

    def fluidsynth_song(self, folder: Path) -> Run:
        return self._fluidsynth(self.arrangement, folder / "song.wav")

    def _fluidsynth(self, midi: Path, wav: Path) -> Run:
        options = ("-n", "-i", "-q", "-r", "44100", "-T", "wav", "-F", str(wav))
        run = fresh_run((tool("fluidsynth"), *options, str(self.soundfont), str(midi)))
        check_sounds([wav], wanted=1, at_least_s=last_note_s(midi))
        return run

    # --- ours

    def separate(self, folder: Path, separator: str) -> Run:
        command = ("separate", str(self.song), "-w", str(folder / "song.rearrange"), "--separator", separator)
        run = fresh_run((*REARRANGE, *command, "--json"))
        check_sounds(sorted(folder.rglob("*.flac")), wanted=_STEMS, at_least_s=self.song_s)
        return run

    def separate_by_net(self, folder: Path) -> Run:
        return self.separate(folder, str(self.repository / self.net))

    def separate_spectral(self, folder: Path) -> Run:
        return self.separate(folder, "spectral")

    def transcribe(self, folder: Path) -> Run:
        workspace = self._workspace(folder, "transcribe")
        run = _stage("transcribe", workspace)
        check_notes([workspace / "performance.mid"], wanted=1, song_s=self.song_s)
        return run

    def render(self, folder: Path) -> Run:
        workspace = self._workspace(folder, "render")
        run = _stage("render", workspace, "--soundfont", str(self.soundfont))
        made = sorted(workspace.glob("arrangements/*/tracks/*.flac"))
        check_sounds(made, wanted=len(self.tracks), at_least_s=last_note_s(self.arrangement))
        return run

    def render_and_mix(self, folder: Path) -> Run:
        run = added([self.render(folder), _stage("mix", folder / "song.rearrange")])
        check_sounds(sorted(folder.rglob("mix.wav")), wanted=1, at_least_s=last_note_s(self.arrangement))
        return run

    def convert(self, folder: Path) -> Run:
        out = folder / "out.wav"
        command = (
            "convert",
            str(self.song),
            "-g",
            self.genre,
            "-w",
            str(folder / "song.rearrange"),
            "-o",
            str(out),
        )
        run = fresh_run((*REARRANGE, *command, "--soundfont", str(self.soundfont), "--json"))
        check_sounds([out] if out.is_file() else [], wanted=1, at_least_s=last_note_s(self.arrangement))
        return run

    def _workspace(self, folder: Path, again: str) -> Path:
        """A copy of the finished workspace in which everything from a stage on is still to be made."""
        copy = folder / "song.rearrange"
        shutil.copytree(self.done, copy, ignore=shutil.ignore_patterns(*_MADE_FROM[again]))
        return copy


def _stage(stage: str, workspace: Path, *options: str) -> Run:
    run = fresh_run((*REARRANGE, stage, "-w", str(workspace), *options, "--json"))
    stage_seconds(run.stdout, stage)  # raises where nothing was made
    return run


def added(steps: Sequence[Run]) -> Run:
    """Several commands, one after the other: times add up, the largest memory counts.

    Raises
    ------
    ValueError : there is none.
    """
    first, *others = steps
    return sum(others, start=first)


def missing(name: str, option: str) -> str:
    """Why a command does not run here; empty if it does.

    Parameters
    ----------
    option : with which it only says something, and ends
    """
    try:
        fresh_run((tool(name), option))
    except CommandFailed as exc:
        return f"{name} does not run here: {exc.cause}"
    return ""


def tool(name: str) -> str:
    """A command of this environment, else of the system; the bare name where there is none."""
    here = Path(sys.executable).with_name(name)
    return str(here) if here.is_file() else shutil.which(name) or name

"""What a conversion costs: a process of its own for each, as a user starts it, with nothing beside it.

Conventions: real-time factors are seconds per second of song; a first genre hears the song, another one reuses
what was heard. Sums of stages are less than the whole, which also starts Python and writes the file.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rearrange.audio import write_audio
from rearrange.evaluation.measure import Measure
from rearrange.evaluation.recordings import recording
from rearrange.evaluation.rows import Row

__all__ = ["conversion_cost"]

_STAGES = ("separate", "transcribe", "analyse", "arrange", "render", "mix")
_LIMIT_S = 1800.0


def conversion_cost(data: Path, name: str, genres: Sequence[str], seconds: float | None) -> Sequence[Row]:
    """Rows of group `cost` for the first seconds of a recording, in one genre after the other.

    Parameters
    ----------
    seconds : how much of the recording; None for all of it

    Raises
    ------
    RearrangeError : the recording cannot be read or written.
    """
    song = recording(data, name)
    rows = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "song.wav"
        mix = song.mix(duration_s=seconds)
        write_audio(path, mix)
        for number, genre in enumerate(genres):
            label = f"{name}, {mix.duration_s:.0f} s, {'first' if number == 0 else 'another'} genre"
            measures = _converted(path, genre, is_first=number == 0)
            rows.append(Row("cost", "recordings", label, "rearrange", genre, measures=measures))
    return rows


def _converted(path: Path, genre: str, *, is_first: bool) -> Mapping[str, Measure]:
    command = [sys.executable, "-m", "rearrange", "convert", str(path), "--genre", genre, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False, cwd=path.parent)
    if done.returncode != 0:
        return {"rtf": Measure(None, (done.stderr.strip().splitlines() or ["it failed"])[-1])}
    result = json.loads(done.stdout)
    duration_s = float(result["duration_s"])
    measures = {
        "rtf": Measure(float(result["seconds"]) / duration_s),
        "memory_gib": Measure(float(result["peak_memory_bytes"]) / 2**30),
    }
    for stage in _STAGES:
        told = result["stages"][stage]
        reused = not is_first and told["because"] == "up to date"
        measures[f"rtf_{stage}"] = (
            Measure(None, "up to date from the first") if reused else Measure(float(told["seconds"]) / duration_s)
        )
    return measures

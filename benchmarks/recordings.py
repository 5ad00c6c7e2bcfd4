"""Every real recording in several genres, as a user converts them: one process each, figures in one table.

    python benchmarks/recordings.py --data ../shared/data/audio [--genres 4] [--json out.json] [--only NAME]

A recording's first conversion starts from nothing in a fresh process; the others reuse what was heard. Stems
without a mixture are summed first. Columns: real-time factors (whole conversion, then by stage), peak memory,
loudness and true peak of the result, tempo and metre heard, key, and content: chroma similarity of the
arrangement to the notes heard (DESIGN 8). Times depend on the machine and on what else it does.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from rearrange.audio import Audio, read_audio, write_audio
from rearrange.evaluation.metrics import content_similarity
from rearrange.genre import genre_names
from rearrange.workspace import Workspace

STAGES = ("separate", "transcribe", "analyse", "arrange", "render", "mix")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with eir/, mdb/ and mixes/")
    parser.add_argument("--genres", type=int, default=4, help="how many genres for each recording")
    parser.add_argument("--only", default="", help="only recordings whose name contains this")
    parser.add_argument("--keep", type=Path, default=None, help="keep the results in this folder")
    parser.add_argument("--json", type=Path, default=None)
    args = parser.parse_args()
    names = genre_names()
    rows, failed = [], []
    with TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for i, (name, song) in enumerate(_recordings(args.data, folder, args.only)):
            chosen = [names[(i * args.genres + k * 5) % len(names)] for k in range(args.genres)]
            for j, genre in enumerate(dict.fromkeys(chosen)):
                row = _converted(song, name, genre, folder, first=j == 0)
                if row is None:
                    failed.append(f"{name} {genre}")
                    continue
                rows.append(row)
                _print_row(row, header=len(rows) == 1)
    _print_means(rows)
    print(f"{len(rows)} conversions, {len(failed)} failed {failed or ''}")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))
    return 1 if failed else 0


def _recordings(data: Path, folder: Path, only: str) -> list[tuple[str, Path]]:
    """Names and files: single recordings, mixtures, and sums of stems (written to `folder`)."""
    found = [(path.stem, path) for path in sorted((data / "mixes").iterdir()) if path.stem != "speech"]
    found += [(path.parent.name, path) for path in sorted((data / "mdb").glob("*/mixture.flac"))]
    for song in sorted((data / "eir").iterdir()):
        found.append((song.name, folder / f"{song.name}.flac"))
    found = [(name, path) for name, path in found if only in name]
    for name, path in found:
        if path.parent == folder and not path.exists():
            _sum_stems(sorted((data / "eir" / name).glob("*.opus")), path)
    return found


def _sum_stems(stems: Sequence[Path], target: Path) -> None:
    parts = [read_audio(stem) for stem in stems]
    length = max(part.n_samples for part in parts)
    total = np.zeros((2, length), dtype=np.float32)
    for part in parts:
        total[:, : part.n_samples] += part.samples
    total /= max(float(np.abs(total).max()), 1.0)
    write_audio(target, Audio(total, parts[0].sample_rate))


def _converted(song: Path, name: str, genre: str, folder: Path, *, first: bool) -> dict[str, object] | None:
    workspace = folder / f"{name}.rearrange"
    command = [
        sys.executable, "-m", "rearrange", "convert", str(song), "--genre", genre,
        "-w", str(workspace), "-o", str(folder / f"{name}.{genre}.wav"), "--json",
    ]  # fmt: skip
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        print(f"{name} {genre}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    report = json.loads(done.stdout)
    duration_s = report["duration_s"]
    stages = report["stages"]
    kept = Workspace(workspace)
    score = kept.read_score()
    arrangement = kept.arrangement(genre).read_arrangement()
    return {
        "recording": name,
        "genre": genre,
        "duration_s": duration_s,
        "first": first,
        "rtf": seconds / duration_s,
        **{stage: stages[stage]["seconds"] / duration_s for stage in STAGES},
        "peak_mib": report["peak_memory_bytes"] / 2**20,
        "lufs": stages["mix"]["figures"]["loudness_lufs"],
        "dbtp": stages["mix"]["figures"]["true_peak_dbtp"],
        "tempo": score.timeline.mean_tempo_bpm,
        "metre": str(score.timeline.metres[0][1]),
        "key": str(score.key),
        "content": content_similarity(
            score.tracks, arrangement.tracks, int(score.timeline.end_beat), beat_ratio=arrangement.beat_ratio
        ),
    }


def _print_row(row: dict[str, object], *, header: bool) -> None:
    if header:
        print(
            f"{'recording':18s} {'genre':11s}  dur   rtf   sep   trans anal  arr   rend  mix    MiB   LUFS  dBTP "
            " bpm  metre key        content"
        )
    stages = " ".join(f"{row[stage]:.3f}" for stage in STAGES)
    print(
        f"{row['recording']:18s} {row['genre']:11s} {row['duration_s']:4.0f}  {row['rtf']:.3f} {stages} "
        f"{row['peak_mib']:5.0f} {row['lufs']:6.1f} {row['dbtp']:5.1f} {row['tempo']:5.0f} {row['metre']:>5s} "
        f"{row['key']:10s} {row['content']:.3f}",
        flush=True,
    )


def _print_means(rows: Sequence[dict[str, object]]) -> None:
    for first in (True, False):
        chosen = [row for row in rows if row["first"] is first]
        total = sum(float(str(row["duration_s"])) for row in chosen)
        if total:
            spent = sum(float(str(row["rtf"])) * float(str(row["duration_s"])) for row in chosen)
            kind = "first genre" if first else "another genre"
            print(f"{kind}: real-time factor {spent / total:.3f} over {total:.0f} s of music")


if __name__ == "__main__":
    sys.exit(main())

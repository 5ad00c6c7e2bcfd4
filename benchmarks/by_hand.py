"""This program against what one would do by hand today: demucs, basic-pitch and fluidsynth, in one run.

    python -m benchmarks.by_hand [--seconds 60] [--song FILE] [--rounds 3] [--demucs-rounds 2] [--json OUT.json]

The commands of the other programs come from this environment (`make bench` installs what they lack) and, for
fluidsynth, from the system (Debian: fluidsynth). One that does not run is said not to, and the rest goes on. Every
command runs in a fresh process, everything included: start, imports, reading, writing.

Demucs' weights are not fetched: both sides run the same net of the size of `htdemucs` with random weights, which
costs the same and separates nothing. Notes are therefore heard, on both sides, in the stems of the `spectral`
separator. `--repository DIR --net NAME` takes a real Demucs repository instead.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.clock import REARRANGE, Run, ended, fresh_run, machine
from benchmarks.contest import Contest, Way, contest_table, ratios_of, run_rounds
from benchmarks.demucs_net import NAME, made_repository
from benchmarks.outcome import split_tracks
from benchmarks.song import made_song
from benchmarks.stages import duration_of
from benchmarks.table import Ratio, ratio_table, write_json
from benchmarks.ways import Bench, added, missing

_RANDOM = "of the size of htdemucs, RANDOM weights (trained ones are not fetched): its cost counts, not its sound"


def steps(bench: Bench) -> tuple[Contest, Contest, Contest, Contest]:
    """The steps that are compared: separate, transcribe, render to tracks, render to one file."""
    no_fluidsynth = missing("fluidsynth", "--version")
    return (
        Contest(
            "separate",
            Way("demucs", bench.demucs),
            (
                Way("rearrange, the same net", bench.separate_by_net),
                Way("rearrange, spectral", bench.separate_spectral),
            ),
            "demucs writes 16-bit WAV, rearrange FLAC; spectral is another method, quicker and rougher",
            missing("demucs", "--help"),
        ),
        Contest(
            "transcribe",
            Way("basic-pitch (ONNX), 3 pitched stems", bench.basic_pitch),
            (Way("rearrange, 4 stems", bench.transcribe),),
            "rearrange hears the drums too; basic-pitch writes pitch bends too",
            missing("basic-pitch", "--help"),
        ),
        Contest(
            "tracks",
            Way("fluidsynth, once per track", bench.fluidsynth_tracks),
            (Way("rearrange render", bench.render),),
            "a sound file per track; fluidsynth adds reverberation and chorus and lets the end ring longer",
            no_fluidsynth,
        ),
        Contest(
            "song",
            Way("fluidsynth, one file", bench.fluidsynth_song),
            (Way("rearrange render, mix", bench.render_and_mix),),
            "rearrange mixes and masters (equaliser, compressors, room, loudness); fluidsynth does neither",
            no_fluidsynth,
        ),
    )


def whole_song(bench: Bench, done: Sequence[Contest]) -> Contest:
    """From the recording to the sound of every track, by hand and by this program: the steps' runs added up.

    Parameters
    ----------
    done : `steps`, measured
    """
    contests = done[:3]
    absent = next((contest.missing for contest in contests if contest.missing), "")
    by_hand = Way("demucs + basic-pitch + fluidsynth per track")
    same = Way("rearrange, the same steps and net")
    runs = {same.name: _sums([contest.runs[contest.ours[0].name] for contest in contests])}
    if not absent:
        runs[by_hand.name] = _sums([contest.runs[contest.by_hand.name] for contest in contests])
    remark = (
        "the first two are sums of the above; convert also analyses, arranges, mixes, masters, and writes a page"
    )
    ours = (same, Way("rearrange convert, spectral", bench.convert))
    return Contest("whole", by_hand, ours, remark, absent, runs)


def _sums(runs: Sequence[Sequence[Run]]) -> list[Run]:
    """The steps added up, round by round, as many as there are of all."""
    return [added(together) for together in zip(*runs, strict=False)]


def prepared(folder: Path, args: argparse.Namespace) -> Bench:
    """Make the song, the net and a finished conversion, untimed.

    Raises
    ------
    CommandFailed, SoundfontError : something cannot be made, or there is no soundfont.
    """
    from rearrange.synth.soundfonts import resolve_soundfont

    song = (args.song or made_song(folder / "song.wav", args.seconds)).resolve()
    done = folder / "done.rearrange"
    command = ("convert", str(song), "-g", args.genre, "-w", str(done), "-o", str(folder / "out.wav"), "--json")
    run = fresh_run((*REARRANGE, *command))
    repository = args.repository.resolve() if args.repository else made_repository(folder / "repository")
    (folder / "tracks").mkdir()
    arrangement = done / "arrangements" / args.genre / "arrangement.mid"
    return Bench(
        song=song,
        song_s=duration_of(run.stdout),
        repository=repository,
        net=args.net if args.repository else NAME,
        done=done,
        genre=args.genre,
        soundfont=resolve_soundfont("default"),
        tracks=tuple(split_tracks(arrangement, folder / "tracks")),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the project's own song")
    parser.add_argument("--song", type=Path, default=None, help="this song instead, as long as it is")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--demucs-rounds", type=int, default=2, help="of separation, which takes longest")
    parser.add_argument("--genre", default="jazz")
    parser.add_argument("--repository", type=Path, default=None, help="a Demucs repository with real weights")
    parser.add_argument("--net", default="htdemucs", help="the model's name in --repository")
    parser.add_argument("--json", type=Path, default=None)
    args = parser.parse_args()
    if min(args.rounds, args.demucs_rounds) < 1:
        parser.error("there is at least one round")
    where = machine()  # before the machine is busy with this
    print(f"by hand: {where}")
    ratios: list[Ratio] = []
    values: dict[str, object] = {}
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bench = prepared(folder, args)
        weights = "from --repository" if args.repository else _RANDOM
        print(f"{args.song or 'examples/song.wav, repeated'}: {bench.song_s:.0f} s; Demucs net {weights}\n")

        def measure(contest: Contest, rounds: int) -> None:
            run_rounds(contest, folder, rounds)
            print(contest_table(contest, bench.song_s), "\n", flush=True)
            ratios.extend(ratios_of(contest))
            values[contest.what] = {
                name: [{"seconds": run.seconds, "peak_bytes": run.peak_bytes} for run in runs]
                for name, runs in contest.runs.items()
            }

        done = steps(bench)
        for contest in done:
            measure(contest, args.demucs_rounds if contest is done[0] else args.rounds)
        measure(whole_song(bench, done), min(args.rounds, args.demucs_rounds))
    print(ratio_table(ratios))
    if args.json:
        facts = {"benchmark": "by hand", "machine": where, "duration_s": bench.song_s, "weights": weights}
        write_json(args.json, ratios, {**facts, "runs": values})
    return 0


if __name__ == "__main__":
    ended(main)

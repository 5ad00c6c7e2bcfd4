"""A song of any length, of the project's own: examples/song.wav, over and over, as 44.1 kHz stereo WAV.

    python -m benchmarks.song OUT.wav --seconds 180 [--song FILE]

Made in a process of its own, so that the one that times stays small. Bars do not go on across the seam, which
analysis has to live with; what the stages cost does not depend on it. The example holds little above 11 kHz.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.clock import fresh_run

__all__ = ["EXAMPLE", "made_song", "repeats"]

EXAMPLE = Path(__file__).parent.parent / "examples" / "song.wav"
SAMPLE_RATE = 44100


def repeats(n_samples: int, n_wanted: int) -> Iterator[int]:
    """How many samples of each turn of a song are needed until there are enough.

    Raises
    ------
    ValueError : there is no song, or nothing is wanted.
    """
    if n_samples <= 0 or n_wanted <= 0:
        raise ValueError(f"{n_wanted} samples of a song of {n_samples}")
    for done in range(0, n_wanted, n_samples):
        yield min(n_samples, n_wanted - done)


def made_song(path: Path, duration_s: float, *, song: Path = EXAMPLE) -> Path:
    """Write the song in a process of its own and return its path.

    Raises
    ------
    CommandFailed : it cannot be read or written.
    """
    fresh_run(
        (sys.executable, "-m", "benchmarks.song", str(path), "--seconds", str(duration_s), "--song", str(song))
    )
    return path


def main() -> None:
    from rearrange.audio import AudioWriter, read_audio

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--song", type=Path, default=EXAMPLE)
    args = parser.parse_args()
    once = read_audio(args.song, sample_rate=SAMPLE_RATE).samples
    with AudioWriter(args.out, SAMPLE_RATE, once.shape[0]) as writer:
        for n_samples in repeats(once.shape[1], round(args.seconds * SAMPLE_RATE)):
            writer.write(once[:, :n_samples])


if __name__ == "__main__":
    main()

"""A Demucs repository whose net has the size and the shape of `htdemucs`, and random weights.

    python -m benchmarks.demucs_net FOLDER

A net's time and memory do not depend on what its weights are, so two programs that run this net can be compared
where the trained weights (fetched from the internet, and not under a free licence) are not there. What comes out
is no separation, and nothing may be said about its sound.

Source: the published `htdemucs` (955717e8): 41 984 456 numbers, 84 MB in half precision; the options are those of
demucs/grids/mmi.py (its row of 512 bottom channels and five layers) and give exactly that number.
"""

import argparse
import sys
from fractions import Fraction
from pathlib import Path

from benchmarks.clock import fresh_run

__all__ = ["NAME", "made_repository"]

NAME = "5eed5eed"  # what Demucs calls it: `-n NAME`
N_NUMBERS = 41_984_456
_SOURCES = ["drums", "bass", "other", "vocals"]
_SEGMENT_S = Fraction(39, 5)


def made_repository(folder: Path) -> Path:
    """Make the repository in a process of its own and return its folder.

    Raises
    ------
    CommandFailed : it cannot be made.
    """
    fresh_run((sys.executable, "-m", "benchmarks.demucs_net", str(folder)))
    return folder


def main() -> None:
    import torch
    from demucs.htdemucs import HTDemucs
    from demucs.states import get_state, save_with_checksum

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    torch.manual_seed(0)
    net = HTDemucs(_SOURCES, bottom_channels=512, dconv_mode=3, segment=_SEGMENT_S, samplerate=44100)
    size = sum(numbers.numel() for numbers in net.state_dict().values())
    if size != N_NUMBERS:
        raise SystemExit(f"this Demucs makes a net of {size} numbers, htdemucs has {N_NUMBERS}")
    args, kwargs = net._init_args_kwargs
    folder.mkdir(parents=True, exist_ok=True)
    package = {"klass": HTDemucs, "args": args, "kwargs": kwargs, "state": get_state(net, None, half=True)}
    save_with_checksum(package, folder / f"{NAME}.th")


if __name__ == "__main__":
    main()

"""What a word costs the arranger's network, by how it is computed.

    python -m benchmarks.arranger [--model models/arranger-small] [--rows 4 48] [--rounds 5] [--device cpu]

Rows of a song are written side by side, a word of each at a time: this is one such step, after 320 words that all
rows share and 160 of their own. Ways take turns; the least of several rounds counts, against float32, in which
`arrange` computes. On a processor: bfloat16, and PyTorch's dynamic quantisation to int8. On a GPU a step is told
beside the time that it takes to read the network and its cache once.
"""

import argparse
import copy
import time
from collections.abc import Mapping
from pathlib import Path

import torch

from benchmarks.table import table, times
from rearrange.models.arranger import ArrangerNetwork, load
from rearrange.models.stored import shipped

SHARED, OWN, STEPS = 320, 160, 24
FLOAT32 = "float32"


def ways(network: ArrangerNetwork, device: str) -> Mapping[str, ArrangerNetwork]:
    """The same network, computed in several ways."""

    def like(module: torch.nn.Module) -> ArrangerNetwork:
        return ArrangerNetwork(network.config, module)

    found = {FLOAT32: like(copy.deepcopy(network.module).to(device))}
    found["bfloat16"] = like(copy.deepcopy(network.module).to(device, torch.bfloat16))
    if device == "cpu":
        found["int8, dynamic"] = like(
            torch.ao.quantization.quantize_dynamic(copy.deepcopy(network.module), {torch.nn.Linear}, torch.qint8)
        )
    return found


def step_s(network: ArrangerNetwork, rows: int) -> float:
    """Seconds of one word of each row."""
    cache = network.start(rows, [1] * SHARED)
    network.feed(cache, [[2] * OWN] * rows)
    started = time.perf_counter()
    for _ in range(STEPS):
        network.feed(cache, [[3]] * rows).float().cpu()
    return (time.perf_counter() - started) / STEPS


def reading_s(network: ArrangerNetwork, rows: int, bytes_per_s: float) -> float:
    """Seconds in which the weights and the cache of a step are read once."""
    weights = list(network.module.parameters())
    width = weights[0].element_size()
    kept = 2 * network.config.depth * 64 * (SHARED + rows * (OWN + STEPS / 2))
    return (sum(weight.numel() for weight in weights) + kept) * width / bytes_per_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="folder of the network (default: the one that is shipped)")
    parser.add_argument("--rows", type=int, nargs="+", default=[4, 48])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--bandwidth", type=float, default=4.8e12, help="of the GPU's memory, bytes a second")
    args = parser.parse_args()
    networks = ways(load(args.model or shipped("arranger-small")), args.device)
    lines = []
    for rows in args.rows:
        took: dict[str, list[float]] = {name: [] for name in networks}
        for _ in range(args.rounds):
            for name, network in networks.items():
                took[name].append(step_s(network, rows))
        least = {name: min(each) for name, each in took.items()}
        for name, seconds in least.items():
            cells = [
                str(rows),
                name,
                f"{1e3 * seconds:.2f}",
                f"{rows / seconds:.0f}",
                times(seconds / least[FLOAT32]),
            ]
            if args.device == "cuda":
                cells.append(f"{reading_s(networks[name], rows, args.bandwidth) / seconds:.0%}")
            lines.append(cells)
    header = ["rows", "way", "ms a step", "words a second", "to float32"]
    print(f"{torch.get_num_threads()} threads")
    print(table([*header, *(["of the bandwidth"] if args.device == "cuda" else [])], lines, left=(1,)))


if __name__ == "__main__":
    main()

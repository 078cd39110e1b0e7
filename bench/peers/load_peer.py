"""The same work in Python, for comparison: loading an `.sda` file, reading its metadata, decoding once.

    python bench/peers/load_peer.py FILE.sda [--threads N]

Reads requests from its standard input, one JSON a line: {"work": name, "warm_up": ms of runs that don't count, "runs": n};
answers each with a line [ms, ...]. So both sides can take turns. The file should be in the page cache.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/python"))

import torch  # noqa: E402

import sda_reference as sda  # noqa: E402


def measure(work: Callable[[], Any], warm_up: float, runs: int) -> list[float]:
    """Milliseconds of each call; what a call returns is released inside the measured time."""
    warm_at = time.perf_counter() + warm_up / 1e3
    while time.perf_counter() < warm_at:
        work()
    samples = []
    for _ in range(runs):
        started = time.perf_counter_ns()
        work()
        samples.append((time.perf_counter_ns() - started) / 1e6)
    return samples


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--threads", type=int, help="torch.set_num_threads; PyTorch's default when absent")
    options = parser.parse_args()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    sda.register_program_modules()
    path = options.file
    loaded = sda.load_sda(path)
    z = torch.zeros(1, loaded.model.latent_dim)

    @torch.no_grad()
    def decode() -> torch.Tensor:
        return loaded.model.decoder(z)

    works: dict[str, Callable[[], Any]] = {
        "torch.load": lambda: torch.load(path, map_location="cpu", weights_only=False),
        "torch.load mmap": lambda: torch.load(path, map_location="cpu", weights_only=False, mmap=True),
        "program load": lambda: sda.load_sda(path),
        "metadata": lambda: dict(torch.load(path, map_location="cpu", weights_only=False)["metadata"]),
        "decode": decode,
    }
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(measure(works[request["work"]], request["warm_up"], request["runs"])), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

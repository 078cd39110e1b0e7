"""The same work in Python, for comparison: loading an `.sda` file, reading its metadata, decoding once.

    python bench/peers/load_peer.py FILE.sda [--repeats 50] [--threads N]

Prints JSON: {"environment": {...}, "results": {name: {"median_ms", "samples": [ms, ...]}}}.
The file should be in the page cache; every measurement runs a few times unmeasured first.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/python"))

import torch  # noqa: E402

import sda_reference as sda  # noqa: E402

WARM_UP = 50


def measure(work: Callable[[], Any], repeats: int) -> dict[str, Any]:
    """Milliseconds of each call; what a call returns is released inside the measured time."""
    for _ in range(WARM_UP):
        work()
    samples = []
    for _ in range(repeats):
        started = time.perf_counter_ns()
        work()
        samples.append((time.perf_counter_ns() - started) / 1e6)
    return {"median_ms": statistics.median(samples), "samples": samples}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--repeats", type=int, default=50)
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
    results = {name: measure(work, options.repeats) for name, work in works.items()}
    environment = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "file_bytes": path.stat().st_size,
    }
    json.dump({"environment": environment, "results": results}, sys.stdout)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())

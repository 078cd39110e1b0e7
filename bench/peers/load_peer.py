"""The same work in Python, for comparison: loading an `.sda` file, reading its metadata, decoding once.

    python bench/peers/load_peer.py FILE.sda [--threads N]

Measured in turns (turns.py). The file should be in the page cache.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/python"))

import torch  # noqa: E402

import sda_reference as sda  # noqa: E402
from turns import serve  # noqa: E402


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
    serve(works)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Loads an `.sda` file, reads its metadata and decodes once in Python, for comparison.

    python bench/peers/load_peer.py FILE.sda [--threads N]

turns.py measures the works on request. The file should be in the page cache.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/python"))

import torch  # noqa: E402

import sda_reference as sda  # noqa: E402
from turns import serve  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--threads", type=int, help="default: PyTorch's")
    options = parser.parse_args()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    sda.register_program_modules()
    read = functools.partial(torch.load, map_location="cpu", weights_only=False)
    path = options.file
    loaded = sda.load_sda(path)
    z = torch.zeros(1, loaded.model.latent_dim)

    @torch.no_grad()
    def decode() -> torch.Tensor:
        return loaded.model.decoder(z)

    works: dict[str, Callable[[], Any]] = {
        "torch.load": lambda: read(path),
        "torch.load mmap": lambda: read(path, mmap=True),
        "program load": lambda: sda.load_sda(path),
        "metadata": lambda: dict(read(path)["metadata"]),
        "decode": decode,
    }
    serve(works)
    return 0


if __name__ == "__main__":
    sys.exit(main())

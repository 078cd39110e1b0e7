"""Reads a torch.save file, and the same weights as a .safetensors file, in Python, for comparison.

    python bench/peers/torch_peer.py FILE.sda MANY.pt

Works: torch.load, torch.load mmap, torch.load many (of the second file), safetensors (maps the
state dict, which is converted to a temporary file first), safetensors read (reads that file
instead of mapping it). turns.py measures them on request. The files should be in the page cache.
"""

from __future__ import annotations

import argparse
import functools
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/python"))

import torch  # noqa: E402

import sda_reference as sda  # noqa: E402
from turns import serve  # noqa: E402


def safetensors_works(path: Path, folder: Path) -> dict[str, Callable[[], Any]]:
    """@raises ImportError without safetensors"""
    from safetensors.torch import load, load_file, save_file

    state = sda.load_sda(path).model.state_dict()
    copy = folder / "weights.safetensors"
    # safetensors refuses tensors that share memory.
    save_file({name: tensor.detach().contiguous().clone() for name, tensor in state.items()}, copy)
    return {
        "safetensors": lambda: load_file(copy),
        "safetensors read": lambda: load(copy.read_bytes()),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("many", type=Path)
    arguments = parser.parse_args()
    path = arguments.file
    sda.register_program_modules()
    read = functools.partial(torch.load, map_location="cpu", weights_only=False)
    works: dict[str, Callable[[], Any]] = {
        "torch.load": lambda: read(path),
        "torch.load mmap": lambda: read(path, mmap=True),
        "torch.load many": lambda: read(arguments.many),
    }
    missing: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="sda-bench-") as folder:
        try:
            works.update(safetensors_works(path, Path(folder)))
        except ImportError:
            reason = "this Python has no safetensors (pip install safetensors)"
            missing = {"safetensors": reason, "safetensors read": reason}
        serve(works, missing)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Read pairs of files and print those that Python describes differently, or cannot read.

Usage: same_description.py FILE COPY [FILE COPY ...]

The description is that of scripts/python/golden_values.py. Tensors must share their storages with
the same strides. A copy of a file that torch.load reads
with weights_only must be read so, too.
"""

import sys
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "python"))

import sda_reference
import torch
from golden_values import describe


def read(path: str) -> tuple[Any, bool]:
    try:
        return torch.load(path, weights_only=True), True
    except Exception:
        return torch.load(path, weights_only=False), False


def layout(value: Any) -> list[Any]:
    """The storage, offset and strides of each tensor. Storages are numbered as they come.

    Empty if a tensor is a conjugate or negative view, which a copy is not.
    """
    found: list[Any] = []
    numbers: dict[int, int] = {}
    seen: set[int] = set()
    values = [value]
    while values:
        inner = values.pop()
        if id(inner) in seen:
            continue
        seen.add(id(inner))
        if isinstance(inner, dict):
            values += inner.values()
        elif isinstance(inner, (list, tuple)):
            values += inner
        elif isinstance(inner, torch.Tensor):
            values += vars(inner).values()
            if inner.numel() == 0:
                continue
            if inner.is_conj() or inner.is_neg():
                return []
            number = numbers.setdefault(inner.untyped_storage().data_ptr(), len(numbers))
            strides = [s for size, s in zip(inner.shape, inner.stride()) if size != 1]
            found.append((number, inner.storage_offset(), strides, len(inner.untyped_storage())))
    return found


def main() -> None:
    warnings.simplefilter("ignore")
    sda_reference.register_program_modules()
    files = sys.argv[1:]
    for original, copy in zip(files[::2], files[1::2]):
        (wanted, is_plain), (found, copy_is_plain) = read(original), read(copy)
        if describe(wanted) != describe(found):
            print(f"{original}: {str(wanted)[:2000]} became {str(found)[:2000]}")
        if layout(wanted) and layout(wanted) != layout(found):
            print(f"{original}: {layout(wanted)} became {layout(found)}")
        if is_plain and not copy_is_plain:
            print(f"{original}: weights_only does not read the copy")


main()

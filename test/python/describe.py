"""Write files with torch.save and print their content as JSON.

    python describe.py FOLDER SEED COUNT

The values are random, but the same for the same seed. They are described in the form of
scripts/python/golden_values.py.
"""

from __future__ import annotations

import json
import random
import sys
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "python"))

import numpy as np
import torch
from golden_values import describe

TENSOR_TYPES = (
    "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64 complex128"
).split()
ARRAY_TYPES = (
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 "
    "float16 float32 float64 complex64 complex128"
).split()
LETTERS = "ab\x00\n é ü雨🥁\ud83d"


class Maker:
    """Makes random values; what it made before may come back as the same object."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.numpy = np.random.default_rng(seed)
        self.made: list[Any] = []

    def value(self, depth: int = 0) -> Any:
        if self.made and self.random.random() < 0.1:
            return self.random.choice(self.made)
        leaves = [
            self.number,
            self.text,
            self.data,
            self.tensor,
            self.array,
            self.scalar,
            lambda: None,
            lambda: True,
        ]
        branches = [self.list, self.tuple, self.dict, self.ordered, self.set]
        if depth < 4 and self.random.random() < (0.9 if depth == 0 else 0.5):
            return self.random.choice(branches)(depth + 1)
        return self.random.choice(leaves)()

    def keep(self, value: Any) -> Any:
        self.made.append(value)
        return value

    def size(self) -> int:
        return self.random.choice([0, 1, 2, 3, 4, 7, 1001 if self.random.random() < 0.02 else 5])

    def number(self) -> Any:
        bits = self.random.choice([1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 53, 54, 63, 64, 65, 200])
        whole = self.random.getrandbits(bits) * self.random.choice([1, -1])
        return self.random.choice(
            [
                whole,
                self.random.gauss(0, 1e3),
                float("nan"),
                float("-inf"),
                -0.0,
                complex(1.5, -0.0),
            ]
        )

    def text(self) -> str:
        return "".join(self.random.choices(LETTERS, k=self.random.choice([0, 1, 5, 100, 255, 256])))

    def data(self) -> Any:
        content = self.random.randbytes(self.random.choice([0, 1, 10, 255, 256, 300]))
        return self.random.choice([bytes, bytearray])(content)

    def shape(self) -> tuple[int, ...]:
        return tuple(
            self.random.choices(
                [0, 1, 2, 3, 5], weights=[1, 3, 3, 3, 3], k=self.random.randrange(5)
            )
        )

    def tensor(self) -> torch.Tensor:
        dtype = getattr(torch, self.random.choice(TENSOR_TYPES))
        shape = self.shape()
        numbers = torch.from_numpy(
            np.asarray(self.numpy.integers(0, 2 if dtype == torch.bool else 100, shape))
        )
        tensor = numbers.to(dtype)
        match self.random.randrange(6):
            case 0 if tensor.ndim > 1:
                tensor = tensor.transpose(0, -1)
            case 1 if tensor.ndim > 0 and tensor.shape[0] > 1:
                tensor = tensor[1:]
            case 2 if tensor.ndim > 0 and tensor.shape[-1] > 2:
                tensor = tensor[..., ::2]
            case 3:
                tensor = tensor.expand(2, *tensor.shape)
            case 4 if dtype.is_floating_point:
                tensor = torch.nn.Parameter(tensor)
        return self.keep(tensor)

    def array(self) -> np.ndarray:
        array = np.asarray(self.numpy.integers(0, 2, self.shape())).astype(
            self.random.choice(ARRAY_TYPES)
        )
        match self.random.randrange(4):
            case 0:
                array = np.asfortranarray(array)
            case 1:
                array = array.astype(array.dtype.newbyteorder(">"))
            case 2:
                array = array.T
        return array

    def scalar(self) -> Any:
        dtype = self.random.choice(ARRAY_TYPES)
        number = self.random.choice([0, 1, 0.5, -0.0, 100, -7, 2**60 + 1, -(2**60) - 1, -(2**63)])
        with np.errstate(all="ignore"):  # what doesn't fit becomes something else
            return np.asarray(number).astype(dtype)[()]

    def list(self, depth: int) -> list[Any]:
        made: list[Any] = []
        made.extend(self.value(depth) if i < 5 else i for i in range(self.size()))
        if self.random.random() < 0.1:
            made.append(made)
        return self.keep(made)

    def tuple(self, depth: int) -> tuple[Any, ...]:
        return self.keep(tuple(self.value(depth) for _ in range(self.size() % 6)))

    def key(self) -> Any:
        return self.random.choice([self.text(), self.random.getrandbits(20), 0.25, (1, "a"), None])

    def dict(self, depth: int) -> dict[Any, Any]:
        return self.keep({self.key(): self.value(depth) for _ in range(self.size() % 8)})

    def ordered(self, depth: int) -> OrderedDict[Any, Any]:
        made = OrderedDict((self.key(), self.value(depth)) for _ in range(self.size() % 8))
        if self.random.random() < 0.5:
            made._metadata = self.dict(4)  # type: ignore[attr-defined]
        return self.keep(made)

    def set(self, _depth: int) -> Any:
        members = {self.random.getrandbits(16) for _ in range(self.size() % 8)}
        return self.random.choice([set, frozenset])(members)


def main() -> int:
    folder, seed, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    warnings.simplefilter("ignore")
    files = []
    for i in range(count):
        value = Maker(seed + i).value()
        for protocol in (2, 3, 4, 5):
            for legacy in (False, True):
                name = f"{i}-protocol{protocol}{'-legacy' if legacy else ''}.pt"
                torch.save(
                    value,
                    folder / name,
                    pickle_protocol=protocol,
                    _use_new_zipfile_serialization=not legacy,
                )
                files.append(name)
        # If describing fails, this names the file.
        print(json.dumps({"files": files[-8:], "value": describe(value)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

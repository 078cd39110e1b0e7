"""Compare files of torch.save, value by value and type by type.

    python compare.py < jobs.json

Jobs: [{"name", "original", "copy", "pairs": [[key path, key path], …], "strides"}].
Without pairs, the whole content is compared. Prints one line for each difference.
"""

import enum
import json
import math
import sys
import types
import warnings
from collections import OrderedDict, deque

import numpy as np
import torch


class OverfittingPreset(str, enum.Enum):
    CONSERVATIVE = "conservative"
    BALANCED = "balanced"
    AGGRESSIVE = "aggressive"


OverfittingPreset.__module__ = "small_dataset_audio.training.config"
for name in (
    "small_dataset_audio",
    "small_dataset_audio.training",
    "small_dataset_audio.training.config",
):
    sys.modules[name] = types.ModuleType(name)
sys.modules["small_dataset_audio.training.config"].OverfittingPreset = OverfittingPreset
warnings.simplefilter("ignore")

# By design, these types become simpler ones on their way through JavaScript.
SIMPLER = {
    torch.Size: tuple,
    torch.torch_version.TorchVersion: str,
}


class Comparison:
    def __init__(self, strides):
        self.strides = strides
        self.differences = []
        self.met = {}
        self.storages = {}

    def differ(self, at, what):
        self.differences.append(f"{at or 'value'}: {what}")

    def compare(self, a, b, at=""):
        expected = SIMPLER.get(type(a), type(a))
        if type(b) is not expected:
            return self.differ(at, f"{expected} became {type(b)}")
        is_object = isinstance(a, torch.Tensor) or (
            isinstance(a, (dict, list, set, tuple)) and a != ()
        )
        if is_object and not isinstance(a, torch.Size):
            # One object must stay one object.
            if id(a) in self.met:
                if self.met[id(a)] is not b:
                    self.differ(at, "was shared and is not")
                return
            self.met[id(a)] = b
        if isinstance(a, torch.Tensor):
            return self.tensors(a, b, at)
        if isinstance(a, np.ndarray):
            return self.arrays(a, b, at)
        if isinstance(a, np.generic):
            if a.tobytes() != b.tobytes() and not (a != a and b != b):
                self.differ(at, f"{a!r} became {b!r}")
        elif isinstance(a, dict):
            if list(map(repr, a)) != list(map(repr, b)) or [type(k) for k in a] != [
                type(k) for k in b
            ]:
                return self.differ(at, f"keys {list(a)} became {list(b)}")
            for (key, x), y in zip(a.items(), b.values()):
                self.compare(x, y, f"{at}[{key!r}]")
            if isinstance(a, OrderedDict):
                self.compare(vars(a), vars(b), f"{at}.__dict__")
        elif isinstance(a, (list, tuple, deque)):
            if len(a) != len(b):
                return self.differ(at, f"{len(a)} items became {len(b)}")
            for i, (x, y) in enumerate(zip(a, b)):
                self.compare(x, y, f"{at}[{i}]")
        elif isinstance(a, (set, frozenset)):
            if sorted(map(repr, a)) != sorted(map(repr, b)):
                self.differ(at, f"{a!r} became {b!r}")
        elif isinstance(a, float):
            same = (
                math.isnan(a)
                and math.isnan(b)
                or (a == b and math.copysign(1, a) == math.copysign(1, b))
            )
            if not same:
                self.differ(at, f"{a!r} became {b!r}")
        elif isinstance(a, (torch.storage.TypedStorage, torch.UntypedStorage)):
            if list(a) != list(b):
                self.differ(at, "another storage")
        elif isinstance(a, enum.Enum):
            if a is not b:
                self.differ(at, f"{a!r} became {b!r}")
        elif a != b:
            self.differ(at, f"{a!r} became {b!r}")

    def tensors(self, a, b, at):
        if a.is_meta or a.is_quantized or a.layout != torch.strided:
            if repr(a) != repr(b):
                self.differ(at, f"{a!r} became {b!r}")
            return
        facts = ["dtype", "shape", "requires_grad"] + (
            ["stride", "storage_offset"] if self.strides else []
        )
        for fact in facts:
            x, y = (getattr(t, fact) for t in (a, b))
            if callable(x):
                x, y = x(), y()
            if x != y:
                self.differ(at, f"{fact} {x} became {y}")
                return
        if raw(a) != raw(b):
            self.differ(at, "other elements")
        if self.strides:
            # Shared storages are still shared, and no others.
            known = self.storages.setdefault(
                a.untyped_storage().data_ptr(), b.untyped_storage().data_ptr()
            )
            if a.numel() and known != b.untyped_storage().data_ptr():
                self.differ(at, "is in another storage than its siblings")

    def arrays(self, a, b, at):
        same_order = (
            a.flags.f_contiguous == b.flags.f_contiguous
            and a.flags.c_contiguous == b.flags.c_contiguous
        )
        # Big-endian arrays come back in the machine's order.
        if a.dtype.newbyteorder("=") != b.dtype or a.shape != b.shape or not same_order:
            self.differ(
                at,
                f"{a.dtype} {a.shape} {a.flags.f_contiguous} became "
                f"{b.dtype} {b.shape} {b.flags.f_contiguous}",
            )
        elif a.dtype.hasobject:
            if a.tolist() != b.tolist():
                self.differ(at, f"{a!r} became {b!r}")
        elif a.astype(b.dtype).tobytes() != b.tobytes():
            self.differ(at, "other elements")


def raw(tensor):
    plain = torch.empty(tensor.shape, dtype=tensor.dtype).copy_(tensor.detach()).reshape(-1)
    return plain.view(torch.uint8).numpy().tobytes() if plain.numel() else b""


def follow(value, path):
    for key in path:
        value = value[key]
    return value


for job in json.load(sys.stdin):
    original = torch.load(job["original"], weights_only=False, map_location="cpu")
    copy = torch.load(job["copy"], weights_only=False)
    comparison = Comparison(job.get("strides", False))
    for here, there in job.get("pairs", [[[], []]]):
        comparison.compare(follow(original, here), follow(copy, there))
    for difference in comparison.differences:
        print(f"{job['name']}: {difference}")

"""Describes Python values from PyTorch in plain JSON, for tests that run without Python.

`None`, booleans, strings, small ints and finite floats with a fraction are written as JSON values.
Any other value is an object. Its key tells the kind of value:

    {"int": "123…"}                      2**53 or more, or -2**53 or less
    {"float": "nan" | "inf" | "-inf" | "-0.0" | "1.0"}
                                         "1.0" is a float without fraction; 1 is an int
    {"repeat": ["x", n]}                 a long string
    {"bytes": hex} {"bytearray": hex} {"complex": [re, im]}
    {"list": […]} {"tuple": […]} {"set": […]} {"frozenset": […]}       sets in sorted order
    {"dict": [[key, value], …]} {"OrderedDict": [[key, value], …], "attributes": {…}}
    {"tensor": {dtype, shape, hex | sha256, …}}
                                         bytes row-major, little-endian, conj and neg resolved;
                                         also "attributes", as of an OrderedDict
    {"ndarray": {dtype, shape, hex}} {"scalar": {dtype, hex}}           as for tensors
    {"enum": [module, name, value]} {"storage": {dtype, hex}}
    {"torch": text}                      torch.Size, torch.dtype, torch.device
    {"version": text}                    torch.torch_version.TorchVersion
    {"ref": n}                           the same object as the one described with "id": n
"""

from __future__ import annotations

import enum
import hashlib
import math
from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from torch.torch_version import TorchVersion

HEX_LIMIT = 512


def tensor_bytes(tensor: torch.Tensor) -> bytes:
    """Elements in row-major order, little-endian. Resolves lazy conjugation and negation."""
    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    return plain.reshape(-1).view(torch.uint8).numpy().tobytes() if plain.numel() else b""


def array_bytes(array: np.ndarray) -> bytes:
    """Elements of a numpy array in row-major order, little-endian."""
    return np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes(order="C")


def _content(data: bytes) -> dict[str, str]:
    key = {"hex": data.hex()} if len(data) <= HEX_LIMIT else {}
    return key | {"sha256": hashlib.sha256(data).hexdigest()}


def describe_tensor(tensor: torch.Tensor) -> dict[str, Any]:
    description: dict[str, Any] = {
        "dtype": str(tensor.dtype).removeprefix("torch."),
        "shape": list(tensor.shape),
        **_content(tensor_bytes(tensor)),
    }
    if tensor.requires_grad:
        description["requires_grad"] = True
    if isinstance(tensor, torch.nn.Parameter):
        description["parameter"] = True
    return description


class Describer:
    """Describes one value. Describes a shared object once; later uses refer to it."""

    def __init__(self, value: Any) -> None:
        self._seen: set[int] = set()
        self._shared: set[int] = set()
        self._ids: dict[int, int] = {}
        self._kept: list[Any] = []
        self._find_shared(value)
        self.description = self._describe(value)

    def _children(self, value: Any) -> list[Any]:
        if isinstance(value, dict):
            attributes = getattr(value, "__dict__", {}).values()
            return [x for pair in value.items() for x in pair] + list(attributes)
        if isinstance(value, torch.Tensor):
            return list(vars(value).values())
        return list(value) if isinstance(value, (list, tuple, set, frozenset)) else []

    def _find_shared(self, value: Any) -> None:
        if (
            not isinstance(value, (dict, list, tuple, set, torch.Tensor))
            or isinstance(value, torch.Size)
            or value == ()
        ):
            return
        if id(value) in self._seen:
            self._shared.add(id(value))
            return
        self._seen.add(id(value))
        self._kept.append(value)
        for child in self._children(value):
            self._find_shared(child)

    def _describe(self, value: Any) -> Any:
        if id(value) in self._ids:
            return {"ref": self._ids[id(value)]}
        if id(value) in self._shared:
            self._ids[id(value)] = len(self._ids)
            number = self._ids[id(value)]
            return {**self._plain(value), "id": number}
        return self._plain(value)

    def _plain(self, value: Any) -> Any:
        match value:
            case enum.Enum():
                return {"enum": [type(value).__module__, type(value).__qualname__, value.value]}
            case np.generic():
                array = np.asarray(value)
                return {"scalar": {"dtype": array.dtype.name, **_content(array_bytes(array))}}
            case None | bool():
                return value
            case TorchVersion():
                return {"version": str(value)}
            case str():
                repeats = len(value) > 300 and set(value) == {value[0]}
                return {"repeat": [value[0], len(value)]} if repeats else value
            case int():
                return value if abs(value) < 2**53 else {"int": str(value)}
            case float():
                plain = math.isfinite(value) and not value.is_integer()
                return value if plain else {"float": repr(value)}
            case complex():
                return {"complex": [self._plain(value.real), self._plain(value.imag)]}
            case bytes() | bytearray():
                return {type(value).__name__: value.hex()}
            case torch.Tensor():
                return {"tensor": describe_tensor(value), **self._attributes(value)}
            case torch.storage.TypedStorage() if value.dtype == torch.uint8:
                # torch.load returns an untyped storage as a TypedStorage.
                return self._plain(value._untyped_storage)
            case torch.UntypedStorage():
                return {"storage": {"dtype": "uint8", **_content(bytes(value))}}
            case torch.Size() | torch.dtype() | torch.device():
                return {"torch": str(value)}
            case np.ndarray():
                return {
                    "ndarray": {
                        "dtype": value.dtype.name,
                        "shape": list(value.shape),
                        **_content(array_bytes(value)),
                    }
                }
            case OrderedDict():
                return {"OrderedDict": self._pairs(value), **self._attributes(value)}
            case dict():
                return {"dict": self._pairs(value)}
            case list() | tuple():
                return {type(value).__name__: [self._describe(x) for x in value]}
            case set() | frozenset():
                return {type(value).__name__: [self._describe(x) for x in sorted(value, key=repr)]}
        raise TypeError(f"no description for {type(value)}")

    def _attributes(self, value: Any) -> dict[str, Any]:
        attributes = {name: self._describe(inner) for name, inner in vars(value).items()}
        return {"attributes": attributes} if attributes else {}

    def _pairs(self, value: dict[Any, Any]) -> list[list[Any]]:
        return [[self._describe(k), self._describe(v)] for k, v in value.items()]


def describe(value: Any) -> Any:
    """The JSON description of a value."""
    return Describer(value).description

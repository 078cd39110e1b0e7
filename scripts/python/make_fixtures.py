"""Write the files and golden values in test/fixtures, with real PyTorch.

    python scripts/python/make_fixtures.py            all files except those of numpy 1
    python scripts/python/make_fixtures.py --numpy1   the files of numpy 1; needs numpy < 2

torch/           files of torch.save, one for each feature of the format
golden.json      describes the content of the files in torch/
models/          small model files of every version of the Python program
checkpoints/     training checkpoints
golden/          values computed from the models, in the layout of the Python program's golden files
golden-numpy1.json, torch/numpy1-*.pt, models/tiny-numpy1.sda      the files of numpy 1

A second run with the same versions changes only files in the legacy format, because their storage
keys are memory addresses.

Keys of an entry of golden.json:

"value"          the file's content, described by golden_values.py
"same_value_as"  the name of a file with the same content, instead of "value"
"typed"          the value of the dict's last key, by its class; see typed()
"refuse"         the error code of opening the file; "any" is any SdaError
"optional"       true: a reader may refuse the file
"globals"        the globals that the pickle names
"python_loads"   false: torch.load cannot read the file
"""

from __future__ import annotations

import argparse
import io
import json
import pickle
import sys
import types
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import nn
from torch.torch_version import TorchVersion

import golden_distill
import golden_models
import sda_reference as sda
from golden_values import describe

ROOT = Path(__file__).resolve().parents[2]
DTYPES = (
    "bool uint8 int8 int16 int32 int64 uint16 uint32 uint64 float16 bfloat16 float32 float64 "
    "complex32 complex64 complex128 float8_e4m3fn float8_e5m2 float8_e4m3fnuz "
    "float8_e5m2fnuz float8_e8m0fnu"
).split()
NUMPY_TYPES = (
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 "
    "complex64 complex128"
).split()
NOT_A_FILE = "ERR_SDA_FORMAT"
UNSAFE = "ERR_SDA_UNSAFE"
ANY_CODE = "any"


class _Inert(dict[Any, Any]):
    """Stands for any class or object of a pickle, and accepts any operation."""

    __hash__ = object.__hash__  # type: ignore[assignment]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        pass


def pickle_globals(path: Path) -> list[str]:
    """Every `module name` in a file's pickle, as written there. Imports and calls nothing.

    torch.load cannot list them: it handles storage classes before its pickle module sees their
    names.
    """
    found: set[str] = set()

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            found.add(f"{module} {name}")
            return _Inert

        def persistent_load(self, pid: Any) -> Any:
            return _Inert if pid[0] == "module" else _Inert()

    if zipfile.is_zipfile(path):
        # PyTorch's reader, because zipfile rejects files that were saved without checksums.
        stream = io.BytesIO(torch._C.PyTorchFileReader(str(path)).get_record("data.pkl"))
    else:
        stream = io.BytesIO(path.read_bytes())
        for _ in ("magic number", "protocol", "system"):
            pickle.load(stream)
    Unpickler(stream).load()
    return sorted(found)


class Fixtures:
    """Writes files under one folder and collects their entries for `golden.json`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: list[dict[str, Any]] = []
        self._described: dict[str, str] = {}
        (folder / "torch").mkdir(parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        return self.folder / "torch" / name

    def add(self, name: str, container: str, **facts: Any) -> None:
        size = self.path(name).stat().st_size
        self.entries.append(
            {"file": f"torch/{name}", "bytes": size, "container": container, **facts}
        )

    def save(
        self, name: str, value: Any, *, protocol: int = 2, legacy: bool = False, **facts: Any
    ) -> None:
        """Write with torch.save and add an entry. Checks that torch.load returns the value."""
        torch.save(
            value,
            self.path(name),
            pickle_protocol=protocol,
            _use_new_zipfile_serialization=not legacy,
        )
        self.expect(name, value, "legacy" if legacy else "zip", protocol=protocol, **facts)

    def expect(
        self, name: str, value: Any, container: str, *, python_loads: bool = True, **facts: Any
    ) -> None:
        described = describe(value)
        if python_loads:
            if describe(torch.load(self.path(name), weights_only=False)) != described:
                raise AssertionError(f"{name}: torch.load returns another value than was saved")
        else:
            facts["python_loads"] = False
        facts["globals"] = pickle_globals(self.path(name))
        text = json.dumps(described)
        if text in self._described:
            facts["same_value_as"] = self._described[text]
        else:
            facts["value"] = described
            self._described[text] = f"torch/{name}"
        self.add(name, container, **facts)

    def refuse(self, name: str, container: str, code: str, why: str, **facts: Any) -> None:
        self.add(name, container, refuse=code, why=why, **facts)


def typed(value: Any) -> dict[str, Any]:
    """Describe a value that is no dense tensor as the class of this package shows it."""
    if isinstance(value, torch.Tensor):
        shape = list(value.shape)
        if value.is_meta:
            return {"class": "MetaTensor", "dtype": str(value.dtype)[6:], "shape": shape}
        if value.is_quantized:
            return {
                "class": "QuantizedTensor",
                "dtype": str(value.dtype)[6:],
                "shape": shape,
                "scheme": str(value.qscheme())[6:],
                "scales": [value.q_scale()],
                "zeroPoints": [value.q_zero_point()],
                "data": value.int_repr().flatten().tolist(),
                "dequantized": value.dequantize().flatten().tolist(),
            }
        return {
            "class": "SparseTensor",
            "layout": str(value.layout)[6:],
            "shape": shape,
            "indices": value.indices().flatten().tolist(),
            "values": value.values().flatten().tolist(),
            "isCoalesced": value.is_coalesced(),
        }
    if isinstance(value, np.void):
        return {"class": "NumpyScalar", "dtype": value.dtype.str, "value": element(value)}
    return {
        "class": "NumpyArray",
        "dtype": value.dtype.str,
        "shape": list(value.shape),
        "elements": [element(item) for item in value.flatten()],
    }


def element(value: Any) -> Any:
    """Describe an element: bytes in hexadecimal, a date as the number of its units."""
    if isinstance(value, np.datetime64):
        return int(value.astype("int64"))
    if isinstance(value, np.void):
        return {name: value[name].item() for name in value.dtype.names}
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, np.str_) else value


# --------------------------------------------------------------------------------------------------
# Tensors


def sample(dtype_name: str) -> torch.Tensor:
    """Six values `[2, 3]` of a dtype, with its extreme values if it has any."""
    dtype = getattr(torch, dtype_name)
    if dtype_name == "bool":
        return torch.tensor([[True, False, True], [False, False, True]])
    if dtype.is_complex:
        parts = torch.tensor([[0.0, 1.5, -2.0], [3.25, -0.5, 1024.0]], dtype=torch.float64)
        return torch.complex(parts, parts.flip(0)).to(dtype)
    if dtype.is_floating_point:
        if dtype_name.startswith("float8"):
            octets = [[0x00, 0x01, 0x38], [0x7F, 0x80, 0xC3]]
            return torch.tensor(octets, dtype=torch.uint8).view(dtype)
        limits = torch.finfo(dtype)
        values = [[0.0, 1.5, float("-inf")], [float("nan"), limits.max, limits.tiny]]
        return torch.tensor(values, dtype=torch.float64).to(dtype)
    limits = torch.iinfo(dtype)
    rows = [[0, 1, limits.min], [limits.max, limits.max // 3, 42]]
    return torch.from_numpy(np.array(rows, dtype=dtype_name))


def write_tensors(out: Fixtures) -> None:
    tensors = {name: sample(name) for name in DTYPES}
    out.save("dtypes.pt", tensors)
    v3_only = [name for name, tensor in tensors.items() if _needs_rebuild_v3(tensor)]
    out.save(
        "dtypes-legacy.pt", {k: v for k, v in tensors.items() if k not in v3_only}, legacy=True
    )
    # torch.save writes these dtypes in the legacy format, but torch.load cannot read the file.
    out.save(
        "dtypes-v3-legacy.pt", {k: tensors[k] for k in v3_only}, legacy=True, python_loads=False
    )
    out.save("layouts.pt", layouts(shared=True))
    out.save("layouts-legacy.pt", layouts(shared=True), legacy=True)
    out.save("layouts-protocol5.pt", layouts(shared=True), protocol=5)
    # torch.save refuses one storage with two dtypes, so "double" has its own storage.
    lazy = {"conj": sample("complex64").conj(), "neg": sample("complex64").conj().imag}
    out.save("conj-neg.pt", lazy | {"double": sample("complex128").conj()})
    out.save("conj-neg-legacy.pt", lazy, legacy=True)
    octets = torch.arange(5, dtype=torch.uint8)
    out.save(
        "untyped-storage.pt", {"storage": octets.untyped_storage(), "tensor": octets}, optional=True
    )
    out.save("bare-tensor.pt", torch.arange(6, dtype=torch.float32).reshape(2, 3))
    out.save("bare-list.pt", [torch.ones(2), 1, "two"])
    out.save(
        "torch-values.pt",
        {
            "size": torch.Size([2, 3]),
            "dtype": torch.float16,
            "device": torch.device("cpu"),
            "version": TorchVersion("2.13.0"),
            "versions": [TorchVersion("2.13.0"), "2.13.0", torch.Size([])],
        },
        optional=True,
    )
    tagged = torch.arange(3.0)
    tagged.note = "a tensor with an attribute"  # type: ignore[attr-defined]
    out.save("tensor-attribute.pt", tagged, optional=True)
    for protocol in (2, 5):
        name = f"tensor-attributes-protocol{protocol}.pt"
        out.save(name, tensors_with_attributes(), protocol=protocol)


def tensors_with_attributes() -> dict[str, Any]:
    """Parameters, buffers and tensors with attributes, which share some of them."""
    scale = torch.tensor([0.5, 0.25])
    weight = nn.Parameter(torch.tensor([1.0, 2.0]))
    weight.scale = scale  # type: ignore[attr-defined]
    weight.notes = ["quantized", {"bits": 4, "rate": 1.0}]  # type: ignore[attr-defined]
    frozen = nn.Parameter(torch.tensor([3.0]), requires_grad=False)
    frozen.notes = weight.notes  # type: ignore[attr-defined]
    half = torch.tensor([1, 2], dtype=torch.uint16)
    half.scale = scale  # type: ignore[attr-defined]
    return {
        "parameter": weight,
        "frozen": frozen,
        "half": half,
        "scale": scale,
        "buffer": nn.Buffer(torch.tensor([4.0])),
        "temporary": nn.Buffer(torch.tensor([5, 6]), persistent=False),
        "plain": torch.tensor([7.0]),
    }


def _needs_rebuild_v3(tensor: torch.Tensor) -> bool:
    buffer = io.BytesIO()
    torch.save(tensor, buffer)
    with zipfile.ZipFile(buffer) as archive:
        return any(
            b"_rebuild_tensor_v3" in archive.read(n)
            for n in archive.namelist()
            if n.endswith("data.pkl")
        )


def layouts(*, shared: bool) -> dict[str, Any]:
    """Tensors with different strides, offsets and storages."""
    base = torch.arange(24, dtype=torch.float32)
    grid = torch.arange(12, dtype=torch.int16).reshape(3, 4)
    five = torch.arange(2 * 3 * 2 * 2 * 3, dtype=torch.int32).reshape(2, 3, 2, 2, 3)
    return {
        "transposed": grid.T,
        "sliced": grid[1:, 1:3],
        "stepped": base[1::3],
        "offset": base[5:9],
        "same_storage": base,
        "expanded": torch.tensor([[1.0], [2.0]]).expand(2, 4),
        "expanded_scalar": torch.tensor(7, dtype=torch.int64).expand(2, 2),
        "overlapping": base.as_strided((4, 3), (2, 1), 3),
        "empty": torch.empty(0),
        "empty_2d": torch.empty(3, 0, 2, dtype=torch.float64),
        "scalar": torch.tensor(2.5, dtype=torch.float64),
        "permuted_5d": five.permute(4, 0, 3, 1, 2),
        "channels_last": torch.arange(24.0).reshape(1, 2, 3, 4).to(
            memory_format=torch.channels_last
        ),
        "unit_dimensions": base[:3].reshape(1, 3, 1),
        "requires_grad": torch.tensor([1.0, 2.0], requires_grad=True),
        "parameter": nn.Parameter(torch.tensor([3.0, 4.0])),
        "frozen_parameter": nn.Parameter(torch.tensor([5.0]), requires_grad=False),
        "bfloat16_view": torch.arange(6, dtype=torch.float32).to(torch.bfloat16)[::2],
    } | ({"again": grid} if shared else {})


# --------------------------------------------------------------------------------------------------
# Python values


def containers() -> dict[str, Any]:
    """One value of each Python type that torch.save writes, and one tensor."""
    ordered = OrderedDict([("b", 1), ("a", 2)])
    ordered._metadata = OrderedDict([("", {"version": 1})])  # type: ignore[attr-defined]
    shared = ["shared"]
    recursive_list: list[Any] = [1]
    recursive_list.append(recursive_list)
    recursive_dict: dict[str, Any] = {}
    recursive_dict["self"] = recursive_dict
    recursive_dict["list"] = [recursive_dict]
    ints = [0, 1, -1, 255, 256, 65535, 65536, -128, -32769, 2**31 - 1, 2**31, -(2**31)]
    ints += [-(2**31) - 1, 2**53, 2**63 - 1]
    ints += [2**63, -(2**63), -(2**63) - 1, 2**64, 2**200, -(2**200), 2**2048 + 1]
    return {
        "none": None,
        "bools": [True, False],
        "ints": ints,
        "floats": [
            0.0,
            -0.0,
            1.5,
            1e-310,
            5e-324,
            1.7976931348623157e308,
            float("nan"),
            float("inf"),
            float("-inf"),
        ],
        "complex": [1 + 2j, complex(-0.0, float("inf"))],
        "strings": [
            "", "ascii", "é ü ß", "雨", "🥁 emoji", "nul \x00 inside", 'line\nbreak \\ "quoted"'
        ],
        "lone_surrogate": "lone \ud83d surrogate",
        "long_strings": ["x" * 255, "x" * 256, "é" * 300],
        "bytes": [b"", b"\x00\xff\x80abc", bytes(range(256)) * 2],
        "bytearray": bytearray(b"\x01\x02\xfe"),
        "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((), ((1,),))],
        "lists": [[], [1], [1, 2, 3]],
        "dicts": [
            {}, {"a": 1}, {1: "int key", 2.5: "float key", (1, 2): "tuple key", None: "none key"}
        ],
        "ordered": ordered,
        "empty_ordered": OrderedDict(),
        "set": {3, 1, 2},
        "empty_set": set(),
        "frozenset": frozenset({"b", "a"}),
        "shared": [shared, shared],
        "recursive_list": recursive_list,
        "recursive_dict": recursive_dict,
        "tensor": torch.tensor([1, 2, 3], dtype=torch.uint8),
    }


def write_containers(out: Fixtures) -> None:
    for protocol in (2, 3, 4, 5):
        out.save(f"containers-protocol{protocol}.pt", containers(), protocol=protocol)
    out.save("containers-legacy.pt", containers(), legacy=True)
    out.save("containers-legacy-protocol4.pt", containers(), legacy=True, protocol=4)
    # Python's pickler writes dicts and lists in batches of 1000.
    out.save(
        "batches.pt", {"dict": {i: i for i in range(1002)}, "list": [None] * 1001, "set": set()}
    )
    out.save("long-string.pt", "y" * 66_000, protocol=4)
    nested: list[Any] = []
    for _ in range(60):
        nested = [nested]
    out.save("nested.pt", nested)
    presets = sda.register_program_modules()
    out.save(
        "enum.pt",
        {
            "preset": presets("balanced"),
            "again": presets("balanced"),
            "other": presets("aggressive"),
        },
    )
    out.save("enum-protocol4.pt", {"preset": presets("balanced")}, protocol=4)


# --------------------------------------------------------------------------------------------------
# numpy


def arrays() -> dict[str, Any]:
    """Arrays of every kind and layout, and scalars."""
    values: dict[str, Any] = {}
    for name in NUMPY_TYPES:
        dtype = np.dtype(name)
        if dtype.kind == "b":
            values[name] = np.array([[True, False, True], [False, False, True]])
        elif dtype.kind in "iu":
            limits = np.iinfo(dtype)
            values[name] = np.array([[0, 1, limits.min], [limits.max, limits.max // 3, 42]], dtype)
        elif dtype.kind == "f":
            values[name] = np.array(
                [[0.0, -1.5, np.inf], [np.nan, np.finfo(dtype).max, np.finfo(dtype).tiny]], dtype
            )
        else:
            values[name] = np.array([[0, 1 + 2j, -0.5j], [3.25, 1e3 - 1e3j, 7]], dtype)
    grid = np.arange(12, dtype=np.float32).reshape(3, 4)
    values |= {
        "fortran": np.asfortranarray(grid),
        "fortran_3d": np.asfortranarray(np.arange(24, dtype=np.int16).reshape(2, 3, 4)),
        "transposed": grid.T,
        "sliced": grid[::2, 1:3],
        "big_endian": grid.astype(">f4"),
        "big_endian_fortran": np.asfortranarray(np.arange(6).reshape(2, 3).astype(">i8")),
        "big_endian_complex": np.array([1 + 2j, -3j], ">c8"),
        "zero_dim": np.array(2.5),
        "empty": np.empty((0, 3), np.float64),
        "read_only": np.frombuffer(b"\x01\x00\x02\x00", "<i2"),
        "scalars": [values[name].reshape(-1)[-1] for name in NUMPY_TYPES],
        "python_float": float(np.float64(0.1)),
        "float64_nan": np.float64("nan"),
    }
    values["shared"] = [values["float32"], values["float32"]]
    return values


def write_arrays(out: Fixtures, prefix: str, other_protocols: tuple[int, ...]) -> None:
    for protocol in (2, 3, 4, 5):
        out.save(f"{prefix}-protocol{protocol}.pt", arrays(), protocol=protocol)
    out.save(f"{prefix}-legacy.pt", arrays(), legacy=True)
    others = {
        "unicode": np.array(["abc", "de🥁"], "<U5"),
        "object": np.array([1, "two", None], object),
        "structured": np.array([(1, 2.0)], [("a", "<i4"), ("b", "<f8")]),
        "datetime": np.array(["2026-02-14"], "datetime64[D]"),
        "bytes": np.array([b"ab", b"c"], "S3"),
        "record-scalar": np.array([(1, 2.0)], [("a", "<i4"), ("b", "<f8")])[0],
    }
    for name, array in others.items():
        for protocol in other_protocols:
            file = f"{prefix}-{name}-protocol{protocol}.pt"
            torch.save({"before": 1, "array": array}, out.path(file), pickle_protocol=protocol)
            out.add(
                file,
                "zip",
                typed=typed(array),
                protocol=protocol,
                globals=pickle_globals(out.path(file)),
            )


# --------------------------------------------------------------------------------------------------
# Containers


def write_zip_variants(out: Fixtures) -> None:
    value = {"a": torch.arange(100, dtype=torch.float32), "b": torch.arange(7, dtype=torch.int16)}
    previous = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    out.save("no-crc.pt", value)
    torch.serialization.set_crc32_options(previous)

    # torch.load does not swap the storages of _rebuild_tensor_v3: leave these dtypes out.
    wide = {name: sample(name) for name in DTYPES if getattr(torch, name).itemsize > 1}
    big: dict[str, Any] = {
        name: tensor for name, tensor in wide.items() if not _needs_rebuild_v3(tensor)
    }
    big["layouts"] = layouts(shared=True)
    write_big_endian(out.path("big-endian.pt"), big)
    out.expect("big-endian.pt", big, "zip", byteorder="big")

    source = io.BytesIO()
    torch.save(value, source)
    rezipped = out.path("stored-rezip.pt")
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(rezipped, "w") as new:
        for entry in old.namelist():
            new.writestr(zipfile.ZipInfo(entry, (1980, 1, 1, 0, 0, 0)), old.read(entry))
    out.expect("stored-rezip.pt", value, "zip", unaligned=True)

    with zipfile.ZipFile(out.path("other-zip.zip"), "w") as archive:
        archive.writestr(zipfile.ZipInfo("readme.txt", (1980, 1, 1, 0, 0, 0)), "not a model")
    out.refuse("other-zip.zip", "none", NOT_A_FILE, "a zip without data.pkl")


_COMPONENT_DTYPES = {
    torch.complex32: np.uint16,
    torch.complex64: np.uint32,
    torch.complex128: np.uint64,
}


def write_big_endian(path: Path, value: Any) -> None:
    """Write the file that torch.save writes on a big-endian machine.

    It has the same records, with byte-swapped elements in each storage.
    """
    source = io.BytesIO()
    torch.save(value, source)
    widths = _storage_widths(value)
    with zipfile.ZipFile(source) as archive:
        writer = torch._C.PyTorchFileWriter(str(path))
        for name in archive.namelist():
            record = name.split("/", 1)[1]
            data = archive.read(name)
            if record == "byteorder":
                data = b"big"
            elif record.startswith("data/"):
                data = np.frombuffer(data, np.dtype(f"u{widths.get(data, 1)}")).byteswap().tobytes()
            if record not in (
                "version", ".data/serialization_id", ".format_version", ".storage_alignment"
            ):
                writer.write_record(record, data, len(data))
        writer.write_end_of_file()


def _storage_widths(value: Any) -> dict[bytes, int]:
    """Bytes of a storage → the width of the units that are byte-swapped."""
    widths: dict[bytes, int] = {}
    for tensor in _tensors(value):
        component = _COMPONENT_DTYPES.get(tensor.dtype)
        width = np.dtype(component).itemsize if component else tensor.dtype.itemsize
        data = bytes(tensor.untyped_storage())
        if data and widths.setdefault(data, width) != width:
            raise AssertionError("two storages with the same bytes and different element widths")
    return widths


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for child in value.values():
            yield from _tensors(child)


def write_foreign(out: Fixtures) -> None:
    """Write valid files that a reader must refuse, because it runs no code of a pickle."""
    module = types.ModuleType("someones_project")
    tiny_net = type(
        "TinyNet", (nn.Module,), {"__module__": "someones_project", "forward": lambda self, x: x}
    )
    module.TinyNet = tiny_net  # type: ignore[attr-defined]
    sys.modules["someones_project"] = module
    net = tiny_net()
    net.layer = nn.Linear(2, 2)
    with torch.no_grad():
        net.layer.weight.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        net.layer.bias.copy_(torch.tensor([5.0, 6.0]))
    parameter_bytes = {
        "layer.weight": np.array([1, 2, 3, 4], "<f4").tobytes().hex(),
        "layer.bias": np.array([5, 6], "<f4").tobytes().hex(),
    }
    quantized = {
        "sparse.pt": torch.eye(2).to_sparse(),
        "meta.pt": torch.ones(2, device="meta"),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantized["quantized.pt"] = torch.quantize_per_tensor(torch.ones(2), 0.5, 0, torch.quint8)
        for name, tensor in quantized.items():
            torch.save({"a": tensor}, out.path(name))
            out.add(
                name, "zip", typed=typed(tensor), globals=pickle_globals(out.path(name))
            )
        for name, legacy in (("module.pt", False), ("module-legacy.pt", True)):
            # The legacy format stores the path of class sources, which depends on the machine.
            source = lambda cls: (  # noqa: E731
                [f"class {cls.__name__}: ...\n"],
                1,
                f"{cls.__name__}.py",
            )
            with mock.patch.object(torch.serialization, "get_source_lines_and_file", source):
                torch.save(net, out.path(name), _use_new_zipfile_serialization=not legacy)
            facts = {"globals": pickle_globals(out.path(name)), "parameters": parameter_bytes}
            out.refuse(name, "legacy" if legacy else "zip", UNSAFE, "a whole nn.Module", **facts)


# --------------------------------------------------------------------------------------------------


def write_json(path: Path, entries: list[dict[str, Any]]) -> None:
    """Write one line per file, so that a diff shows which files changed."""
    versions = {"torch": torch.__version__.split("+")[0], "numpy": np.__version__}
    lines = ",\n".join(
        json.dumps(entry, allow_nan=False, separators=(",", ":")) for entry in entries
    )
    path.write_text(
        f'{{"written_by": {json.dumps(versions)},\n"files": [\n{lines}\n]}}\n', encoding="ascii"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--numpy1", action="store_true", help="write only the files of numpy 1")
    parser.add_argument("--output", type=Path, default=ROOT / "test/fixtures")
    parser.add_argument("--demo", type=Path, default=ROOT / "assets/models/synthetic-plucks.sda")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    warnings.filterwarnings("ignore", message="ComplexHalf support is experimental")
    out = Fixtures(options.output)
    is_numpy1 = int(np.__version__.split(".")[0]) < 2
    if is_numpy1 != options.numpy1:
        parser.error(
            f"this is numpy {np.__version__}: --numpy1 needs numpy 1, all other files need numpy 2"
        )
    if options.numpy1:
        write_arrays(out, "numpy1", (2,))
        golden_models.write_numpy1_model(options.output)
        write_json(options.output / "golden-numpy1.json", out.entries)
    else:
        write_tensors(out)
        write_containers(out)
        write_arrays(out, "numpy", (2, 5))
        write_zip_variants(out)
        write_foreign(out)
        write_json(options.output / "golden.json", out.entries)
        golden_models.write_tiny_models(options.output)
        golden_models.write_golden(
            options.output, "tiny", options.output / "models/tiny.sda", golden_models.TINY_PLAN
        )
        golden_models.write_golden(
            options.output, "synthetic-plucks", options.demo, golden_models.DEMO_PLAN
        )
        golden_distill.write_all(options.output)
    files = [path for path in sorted(options.output.rglob("*")) if path.is_file()]
    for path in files:
        print(f"{path.stat().st_size:9,}  {path.relative_to(options.output)}")
    print(f"{sum(path.stat().st_size for path in files):9,}  in all, {len(files)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())

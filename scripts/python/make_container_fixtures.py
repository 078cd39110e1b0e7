"""Write the files in test/fixtures/containers, with real PyTorch, numpy and joblib.

    python scripts/python/make_container_fixtures.py            all files but joblib's
    python scripts/python/make_container_fixtures.py --joblib   joblib's files; needs joblib

containers.json has, for each file, the container's name and "tensors": the name of each tensor or
array of numbers, with its dtype, its shape and its elements in hexadecimal digits, row-major and
little-endian. "values" has what is no tensor. "state_dict" has the names in state_dict().
"""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import shutil
import struct
import sys
import tarfile
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "test/fixtures/containers"
INDEX = FOLDER / "containers.json"


def described(array: Any) -> list[Any]:
    """[dtype, shape, elements] of a tensor or an array."""
    import numpy as np

    if not isinstance(array, np.ndarray):
        array = array.detach().contiguous().numpy()
    little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"))
    return [array.dtype.name, list(array.shape), little.tobytes().hex()]


class Files:
    """What containers.json has."""

    def __init__(self) -> None:
        self.entries: dict[str, Any] = json.loads(INDEX.read_text()) if INDEX.exists() else {}

    def add(self, name: str, container: str, tensors: dict[str, Any], **more: Any) -> None:
        found = {key: described(value) for key, value in tensors.items()}
        self.entries[name] = {"container": container, "tensors": found, **more}

    def save(self) -> None:
        lines = [
            f"{json.dumps(name)}: {json.dumps(entry, sort_keys=True)}"
            for name, entry in sorted(self.entries.items())
        ]
        INDEX.write_text("{\n" + ",\n".join(lines) + "\n}\n")


# --------------------------------------------------------------------------------------------------
# Around files of torch.save


def weights() -> dict[str, Any]:
    import torch

    return {
        "w": torch.arange(40, dtype=torch.float32).reshape(5, 8) / 8,
        "b": torch.tensor([1, -2, 3], dtype=torch.int64),
        "h": torch.tensor([0.5, -1.5], dtype=torch.float16),
    }


def write_compressed(files: Files) -> None:
    import torch

    content = io.BytesIO()
    torch.save(weights(), content)
    (FOLDER / "state.pt.gz").write_bytes(gzip.compress(content.getvalue(), mtime=0))
    (FOLDER / "state.pt.zlib").write_bytes(zlib.compress(content.getvalue()))
    legacy = io.BytesIO()
    torch.save(weights(), legacy, _use_new_zipfile_serialization=False)
    (FOLDER / "legacy.pt.gz").write_bytes(gzip.compress(legacy.getvalue(), mtime=0))
    with (
        zipfile.ZipFile(content) as old,
        zipfile.ZipFile(FOLDER / "deflated.pt", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for entry in old.namelist():
            info = zipfile.ZipInfo(entry, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, old.read(entry))
    for name in ("state.pt.gz", "state.pt.zlib", "deflated.pt"):
        files.add(name, "zip", weights())
    files.add("legacy.pt.gz", "legacy", weights())


def write_pickles(files: Files) -> None:
    import numpy as np
    import torch

    shared = torch.arange(6, dtype=torch.float32)
    value = {"a": shared[:3], "b": shared[3:], "n": np.array([[1.5, 2.5]])}
    for protocol in (0, 2, 4, 5):
        name = f"tensors-protocol{protocol}.pkl"
        (FOLDER / name).write_bytes(pickle.dumps(value, protocol))
        files.add(name, "pickle", value)
    settings = {"format": "sda_model", "version": 1, "list": [1, 2.5, None, True, "ü"]}
    for protocol in (0, 1, 2, 4):
        name = f"settings-protocol{protocol}.pkl"
        (FOLDER / name).write_bytes(pickle.dumps(settings, protocol))
        files.add(name, "pickle", {}, values=settings)


def write_tar(files: Files) -> None:
    """Write the oldest format: a tar of `sys_info`, `storages`, `tensors` and `pickle`.

    It has a transposed tensor and one on a view of the storage of another.
    """
    import torch

    class TarPickler(pickle._Pickler):
        def persistent_id(self, obj: Any) -> Any:
            return keys[id(obj)] if isinstance(obj, torch.Tensor) else None

    whole = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    value = {"a": whole.t(), "part": whole.reshape(6)[2:5], "i": torch.tensor([7, -8])}
    keys = {id(tensor): str(100 + i) for i, tensor in enumerate(value.values())}
    content = io.BytesIO()
    TarPickler(content, 2).dump(value)
    storages = pickle.dumps(2, 2)
    for key, cls, tensor in ((5, torch.FloatStorage, whole), (6, torch.LongStorage, value["i"])):
        storages += pickle.dumps((key, "cpu", cls), 2) + struct.pack("<q", tensor.numel())
        storages += tensor.contiguous().numpy().tobytes()
    storages += pickle.dumps([(9, 5, 2, 3)], 2)
    tensors = pickle.dumps(3, 2)
    for tensor, storage, offset in ((value["a"], 5, 0), (value["part"], 9, 0), (value["i"], 6, 0)):
        key = int(keys[id(tensor)])
        tensors += pickle.dumps((key, storage, type(tensor)), 2)
        tensors += struct.pack("<ii", tensor.dim(), 0)
        tensors += struct.pack(f"<{2 * tensor.dim() + 1}q", *tensor.shape, *tensor.stride(), offset)
    sizes = {"short": 2, "int": 4, "long": 4}
    info = {"protocol_version": 1000, "little_endian": True, "type_sizes": sizes}
    path = FOLDER / "tar-format.pt"
    with tarfile.open(path, "w:", format=tarfile.PAX_FORMAT) as tar:
        for name, data in (
            ("sys_info", pickle.dumps(info, 2)),
            ("pickle", content.getvalue()),
            ("tensors", tensors),
            ("storages", storages),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    loaded = torch.load(path, weights_only=False)
    for name, tensor in value.items():
        if not torch.equal(loaded[name], tensor):
            raise AssertionError("torch.load does not read the tar file")
    files.add(path.name, "tar", value)


# --------------------------------------------------------------------------------------------------
# Programs


def write_scripts(files: Files) -> None:
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(2, 3)
            self.tied = self.fc
            self.layers = nn.Sequential(nn.BatchNorm1d(3), nn.ReLU())
            self.register_buffer("scale", torch.tensor([2.0]))
            self.plain = torch.tensor([5.0, 6.0])
            self.names: list[str] = ["a", "b"]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.layers(self.fc(x)) * self.scale + self.plain.sum() + self.tied(x).sum()
            return y + torch.tensor([1.0, 2.0, 3.0])

    torch.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        script = torch.jit.script(Net().eval())
        torch.jit.save(script, str(FOLDER / "script.pt"))
        script._save_for_lite_interpreter(str(FOLDER / "lite.ptl"))
        frozen = torch.jit.freeze(torch.jit.script(nn.Linear(2, 3).eval()))
        torch.jit.save(frozen, str(FOLDER / "frozen.pt"))
        state = script.state_dict()
    for name in ("script.pt", "lite.ptl"):
        files.add(name, "torchscript", {**state}, state_dict=list(state))
    constants = _constants_of(FOLDER / "frozen.pt")
    tensors = {f"CONSTANTS.c{i}": tensor for i, tensor in enumerate(constants)}
    files.add("frozen.pt", "torchscript", tensors, state_dict=list(tensors))

    class Exported(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(2, 3)
            self.register_buffer("turned", torch.arange(6.0).reshape(2, 3).t())
            self.c = torch.tensor([1.0, 2.0])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(x) + self.turned.sum() + self.c.sum()

    program = torch.export.export(Exported(), (torch.ones(1, 2),))
    torch.export.save(program, str(FOLDER / "exported.pt2"))
    state = program.state_dict
    files.add("exported.pt2", "pt2", {**state}, state_dict=list(state))


def _constants_of(path: Path) -> tuple[Any, ...]:
    import torch

    with zipfile.ZipFile(path) as archive:

        class Unpickler(pickle.Unpickler):
            def persistent_load(self, pid: Any) -> Any:
                data = archive.read(f"{path.stem}/constants/{pid[2]}")
                storage = torch.frombuffer(bytearray(data), dtype=torch.float32).untyped_storage()
                return torch.storage.TypedStorage(
                    wrap_storage=storage, dtype=torch.float32, _internal=True
                )

        content = archive.read(f"{path.stem}/constants.pkl")
        return tuple(Unpickler(io.BytesIO(content)).load())


def write_package(files: Files) -> None:
    import torch
    from torch import nn
    from torch.package import PackageExporter

    torch.manual_seed(4)
    module = nn.Linear(2, 2)
    path = FOLDER / "package.pt"
    with warnings.catch_warnings(), PackageExporter(str(path)) as exporter:
        warnings.simplefilter("ignore")
        exporter.extern("torch.**")
        exporter.save_pickle("models", "weights.pkl", module.state_dict())
        exporter.save_pickle("models", "again.pkl", {"w": module.weight.detach(), "n": 3})
        exporter.save_text("models", "notes.txt", "a text")
    state = module.state_dict()
    tensors = {f"models/weights.pkl.{name}": tensor for name, tensor in state.items()}
    files.add(path.name, "package", {**tensors, "models/again.pkl.w": module.weight})


def write_distributed(files: Files) -> None:
    import torch
    import torch.distributed.checkpoint as dcp
    import torch.multiprocessing

    torch.multiprocessing.spawn(_save_shard, args=(2, str(FOLDER / "distributed")), nprocs=2)
    loaded: dict[str, Any] = _distributed_value()
    dcp.load(loaded, checkpoint_id=str(FOLDER / "distributed"))
    tensors = {
        "rows": torch.arange(20.0).reshape(5, 4),
        "columns": torch.arange(12, dtype=torch.int32).reshape(2, 6),
        "nested.plain": loaded["nested"]["plain"],
    }
    files.add("distributed", "distributed", tensors, values={"nested.text": "a text", "step": 7})


def _distributed_value() -> dict[str, Any]:
    import torch

    return {"nested": {"plain": torch.tensor([1.5, 2.5]), "text": "a text"}, "step": 7}


def _save_shard(rank: int, ranks: int, folder: str) -> None:
    import torch
    import torch.distributed as dist
    import torch.distributed.checkpoint as dcp
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor

    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29517")
    dist.init_process_group("gloo", rank=rank, world_size=ranks)
    mesh = init_device_mesh("cpu", (ranks,))
    value = _distributed_value()
    value["rows"] = distribute_tensor(torch.arange(20.0).reshape(5, 4), mesh, [Shard(0)])
    columns = torch.arange(12, dtype=torch.int32).reshape(2, 6)
    value["columns"] = distribute_tensor(columns, mesh, [Shard(1)])
    dcp.save(value, checkpoint_id=folder)
    dist.destroy_process_group()


# --------------------------------------------------------------------------------------------------
# Arrays


def arrays() -> dict[str, Any]:
    import numpy as np

    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    return {
        "rows": rows,
        "columns": np.asfortranarray(rows),
        "big-endian": np.array([1, -2, 300], ">i2"),
        "complex-columns": np.asfortranarray(np.array([[1 + 2j, 3j], [4, 5 - 1j]], np.complex64)),
        "halves": np.array([0.5, -2], np.float16),
        "scalar": np.array(3.5),
        "empty": np.zeros((0, 3), np.int64),
        "flags": np.array([True, False]),
    }


def others() -> dict[str, tuple[Any, Any]]:
    import numpy as np

    structure = np.array([(1, 2.5, "ab")], [("a", "<i4"), ("b", ">f8"), ("c", "<U2")])
    return {
        "texts": (np.array([["abc", "dü"]]), ["abc", "dü"]),
        "bytes": (np.array([b"ab", b"c"], "S3"), ["6162", "63"]),
        "dates": (np.array(["2026-02-14", "1970-01-03"], "datetime64[D]"), [20498, 2]),
        "structures": (structure, [{"a": 1, "b": 2.5, "c": "ab"}]),
        "objects": (np.array([1, "two", None], object), [1, "two", None]),
    }


def write_arrays(files: Files) -> None:
    import numpy as np

    for name, array in arrays().items():
        np.save(FOLDER / f"{name}.npy", array)
        files.add(f"{name}.npy", "npy", {"": array})
    for name, (array, values) in others().items():
        np.save(FOLDER / f"{name}.npy", array)
        files.add(f"{name}.npy", "npy", {}, values=values)
    with open(FOLDER / "version2.npy", "wb") as out:
        np.lib.format.write_array(out, arrays()["rows"], version=(2, 0))
    files.add("version2.npy", "npy", {"": arrays()["rows"]})
    np.savez(FOLDER / "stored.npz", **arrays())
    np.savez_compressed(FOLDER / "deflated.npz", **arrays())
    for name in ("stored.npz", "deflated.npz"):
        files.add(name, "npz", arrays())


def write_joblib(files: Files) -> None:
    import joblib
    import numpy as np

    content = {**arrays(), "objects": others()["objects"][0], "texts": others()["texts"][0]}
    joblib.dump({"before": 1, **content, "after": "end"}, FOLDER / "arrays.joblib")
    joblib.dump({"before": 1, **content, "after": "end"}, FOLDER / "arrays.joblib.z", compress=3)
    joblib.dump(arrays(), FOLDER / "arrays.joblib.gz", compress=("gzip", 3))
    np.testing.assert_equal(joblib.load(FOLDER / "arrays.joblib")["rows"], arrays()["rows"])
    for name in ("arrays.joblib", "arrays.joblib.z"):
        files.add(name, "pickle", arrays(), values={"before": 1, "after": "end"})
    files.add("arrays.joblib.gz", "pickle", arrays())


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    files = Files()
    if "--joblib" in sys.argv:
        write_joblib(files)
    else:
        shutil.rmtree(FOLDER / "distributed", ignore_errors=True)
        write_compressed(files)
        write_pickles(files)
        write_tar(files)
        write_scripts(files)
        write_package(files)
        write_distributed(files)
        write_arrays(files)
    files.save()


if __name__ == "__main__":
    main()

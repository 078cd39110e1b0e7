"""Read a models folder as the Python program does.

The index becomes dataclasses of 16 fields, and each file is read with torch.load.

    python library.py FOLDER

Prints one line of JSON for each entry:
[model_id, name, file_path, training_config's Enums, number of tensors].
"""

import dataclasses
import enum
import json
import sys
import types
from collections import OrderedDict
from pathlib import Path

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


@dataclasses.dataclass
class ModelEntry:
    model_id: str
    name: str
    description: str
    file_path: str
    file_size_bytes: int
    dataset_name: str
    dataset_file_count: int
    dataset_total_duration_s: float
    training_date: str
    save_date: str
    training_epochs: int
    final_train_loss: float
    final_val_loss: float
    has_analysis: bool
    n_active_components: int
    tags: list


KEYS = (
    "format version model_state_dict latent_dim spectrogram_config "
    "latent_analysis training_config metadata"
).split()
METADATA = [
    f.name for f in dataclasses.fields(ModelEntry) if f.name not in ("file_path", "file_size_bytes")
]

folder = Path(sys.argv[1])
text = (folder / "model_library.json").read_text()
index = json.loads(text)
assert json.dumps(index, indent=2) == text, "not as json.dump writes it"
assert index["version"] == 1
entries = [ModelEntry(**entry) for entry in index["models"].values()]
assert list(index["models"]) == [entry.model_id for entry in entries]
assert sorted(entry.file_path for entry in entries) == sorted(
    p.name for p in folder.glob("*.sda")
), "another set of files"
for entry in entries:
    for field in dataclasses.fields(ModelEntry):
        assert type(getattr(entry, field.name)) is field.type, (
            f"{field.name} is {getattr(entry, field.name)!r}"
        )
    path = folder / entry.file_path
    assert path.stat().st_size == entry.file_size_bytes
    content = torch.load(path, weights_only=False)
    assert (
        list(content) == KEYS
        and content["format"] == "sda_model"
        and type(content["version"]) is int
    )
    assert type(content["model_state_dict"]) is OrderedDict
    assert sorted(content["metadata"]) == sorted(METADATA)
    for name in METADATA:
        here, there = getattr(entry, name), content["metadata"][name]
        assert here == there and type(here) is type(there), f"{name}: {here!r} and {there!r}"
    enums = [
        v.value for v in content["training_config"].values() if isinstance(v, OverfittingPreset)
    ]
    print(
        json.dumps(
            [entry.model_id, entry.name, entry.file_path, enums, len(content["model_state_dict"])]
        )
    )

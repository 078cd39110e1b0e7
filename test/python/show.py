"""Print the dict in a torch.save file as a JSON list of texts, and check the archive.

python show.py FILE [--weights-only]
"""

import json
import sys
import warnings
import zipfile

import numpy as np
import torch

warnings.simplefilter("ignore")
path, weights_only = sys.argv[1], "--weights-only" in sys.argv
archive = zipfile.ZipFile(path)
assert archive.testzip() is None
reader = torch._C.PyTorchFileReader(path)
for name in reader.get_all_records():
    if name.startswith("data/"):
        assert reader.get_record_offset(name) % 64 == 0, name
assert len(reader.get_record(".data/serialization_id")) == 40

content = torch.load(path, weights_only=weights_only)
first = next(iter(content.values()))
lines = []
for key, value in content.items():
    line = f"{key!r} {type(value).__name__} {value!r}"
    if key == "shared" and value[0] is value[1]:
        line += " (one)"
    if isinstance(value, np.ndarray) and value.flags.f_contiguous:
        line += " F"
    if (
        isinstance(value, torch.Tensor)
        and value is not first
        and value.numel()
        and isinstance(first, torch.Tensor)
    ):
        if value.untyped_storage().data_ptr() == first.untyped_storage().data_ptr():
            line += " in " + next(iter(content))
    lines.append(line)
if hasattr(content, "_metadata"):
    lines.append(f"_metadata {type(content._metadata).__name__} {content._metadata!r}")
print(json.dumps(lines))

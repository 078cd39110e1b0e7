"""Compare files that convertCheckpoint has written, and write such files with Python.

Usage: convert.py FOLDER
       convert.py FOLDER NAME    compare NAME.pt and NAME.safetensors with python.pt
"""

import sys

import torch

try:
    from safetensors.torch import load_file, save_file
except ImportError:
    print("no safetensors")
    sys.exit()


def check(found, expected):
    assert sorted(found) == sorted(expected), (sorted(found), sorted(expected))
    for name, tensor in expected.items():
        other = found[name]
        assert (other.dtype, other.shape) == (tensor.dtype, tensor.shape), name
        assert other.contiguous().reshape(-1).view(torch.uint8).equal(
            tensor.contiguous().reshape(-1).view(torch.uint8)
        ), name


folder = sys.argv[1]
if len(sys.argv) > 2:
    expected = torch.load(f"{folder}/python.pt", weights_only=True)["state_dict"]
    check(torch.load(f"{folder}/{sys.argv[2]}.pt", weights_only=True), expected)
    check(load_file(f"{folder}/{sys.argv[2]}.safetensors"), expected)
else:
    expected = torch.load(f"{folder}/ours.pt", weights_only=True)["model"]
    check(load_file(f"{folder}/ours.safetensors"), expected)
    check(torch.load(f"{folder}/again.pth", weights_only=True), expected)
    made = {
        "half": torch.arange(5).half(),
        "bfloat16": torch.arange(7).bfloat16(),
        "int64": torch.arange(6).reshape(2, 3),
        "bool": torch.tensor([True, False, True]),
        "scalar": torch.tensor(1.5),
        "float": torch.randn(3, 4, 5),
    }
    save_file(made, f"{folder}/python.safetensors", {"format": "pt"})
    views = {**made, "float": made["float"].transpose(0, 2).contiguous().transpose(0, 2)}
    torch.save({"state_dict": views}, f"{folder}/python.pt")
print("same")

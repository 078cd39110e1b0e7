"""Read a safetensors file and write a copy with Python's library.

Usage: safetensors_copy.py FILE COPY
"""

import sys

try:
    from safetensors import safe_open
    from safetensors.torch import save_file
except ImportError:
    print("no safetensors")
    sys.exit()

with safe_open(sys.argv[1], "pt") as file:
    tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, sys.argv[2], file.metadata())
print(len(tensors))

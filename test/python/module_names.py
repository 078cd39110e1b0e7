"""Read whole modules and print the names of their state dicts as JSON.

Usage: module_names.py FILE [FILE ...]
"""

import json
import sys
import warnings

import torch


def main() -> None:
    warnings.simplefilter("ignore")
    names = {}
    for path in sys.argv[1:]:
        try:
            module = torch.load(path, weights_only=False)
        except Exception:  # noqa: BLE001, S112: a class that is not installed here
            continue
        if isinstance(module, torch.nn.Module):
            names[path] = list(module.state_dict())
    print(json.dumps(names))


main()

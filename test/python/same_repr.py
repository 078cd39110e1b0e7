"""Read pairs of files and print those that Python shows differently, or cannot read.

Usage: same_repr.py FILE COPY [FILE COPY ...]
"""

import sys
import warnings

import torch


def main() -> None:
    warnings.simplefilter("ignore")
    files = sys.argv[1:]
    for original, copy in zip(files[::2], files[1::2]):
        wanted, found = (repr(torch.load(path, weights_only=False)) for path in (original, copy))
        if wanted != found:
            print(f"{original}: {wanted} became {found}")


main()

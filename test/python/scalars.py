"""Write numpy scalars of every type with torch.save: whole numbers and fractions, small and large.

python scalars.py FILE
"""

import sys

import numpy as np
import torch

NUMBERS = [
    0,
    1,
    3,
    -7,
    2**15,
    -(2**31),
    2**53 + 1,
    -(2**53) - 1,
    2**60,
    -(2**60),
    2**63 - 1,
    -(2**63),
    2**64 - 1,
]
FLOATS = [
    0.0,
    -0.0,
    1.0,
    -7.0,
    0.5,
    2.0**60,
    -(2.0**60),
    1e300,
    float("inf"),
    float("-inf"),
    float("nan"),
]
INTEGER_TYPES = "int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()
FLOAT_TYPES = "float16 float32 float64 complex64 complex128".split()


def scalars() -> list[np.generic]:
    made: list[np.generic] = [np.bool_(False), np.bool_(True)]
    for name in INTEGER_TYPES:
        info = np.iinfo(name)
        made.extend(np.dtype(name).type(n) for n in NUMBERS if info.min <= n <= info.max)
    with np.errstate(all="ignore"):
        for name in FLOAT_TYPES:
            made.extend(np.dtype(name).type(x) for x in FLOATS)
    return made


values = scalars()
hashable = [x for x in values if x == x]
torch.save(
    {
        "list": values,
        "tuple": tuple(values),
        "dict": {str(i): x for i, x in enumerate(values)},
        "keys": {x: i for i, x in enumerate(hashable)},
        "set": {np.float64(5.0)},
    },
    sys.argv[1],
)

"""Write values that are more than dense tensors and plain containers, each to a file of its own.

Usage: write_objects.py FOLDER
"""

import sys
import warnings
from collections import Counter, OrderedDict, defaultdict, deque
from pathlib import Path
from typing import Any

import numpy as np
import torch


def values() -> dict[str, Any]:
    ordered = OrderedDict([("b", 1), ("a", 2.0)])
    ordered.note = {"x": torch.ones(2)}  # type: ignore[attr-defined]
    lists: defaultdict[str, list[Any]] = defaultdict(list, {"a": [1]})
    lists["self"].append(lists)
    dense = torch.tensor([[0.0, 1.0, 0.0, 2.0], [0.0, 0.0, 3.0, 0.0]])
    twice = torch.sparse_coo_tensor(torch.tensor([[0, 0, 1]]), torch.tensor([1, 2, 3]), (3,))
    channels = torch.quantize_per_channel(
        dense, torch.tensor([0.5, 0.25]), torch.tensor([1, 2]), 0, torch.qint8
    )
    matrix = np.asmatrix(np.arange(4.0).reshape(2, 2))
    return {
        "ordered": ordered,
        "counter": Counter({"rain": 3, ("a", 1): 2, None: 2**70}),
        "defaultdict": lists,
        "plain_defaultdict": defaultdict(None, {1: 2}),
        "deque": [deque([1, 2.0, [3]], maxlen=4), deque(), deque(maxlen=0)],
        "sets": [frozenset({1, 2}), {frozenset({3}), (4, frozenset())}],
        "coo": dense.to_sparse(),
        "not_coalesced": twice,
        "csr": dense.to_sparse_csr(),
        "csc": dense.to_sparse_csc(),
        "bsr": dense.to_sparse_bsr((1, 2)),
        "bsc": dense.to_sparse_bsc((1, 2)),
        "quantized": torch.quantize_per_tensor(dense.T, 0.5, 3, torch.quint8),
        "channels": channels,
        "nested": torch.nested.nested_tensor([torch.ones(2), torch.zeros(3)]),
        "meta": torch.empty(2, 3, dtype=torch.float16, device="meta"),
        "parameter": torch.nn.Parameter(dense.T[1:]),
        "texts": np.array(["abc", "de"]),
        "objects": np.array([1, "two", None], object),
        "dates": np.array(["2026-02-14"], "datetime64[D]"),
        "record": np.array([(1, 2.0)], [("a", "<i4"), ("b", "<f8")])[0],
        "matrix": matrix,
        "masked": np.ma.masked_array([1, 2], [True, False]),
        "scalars": [np.float32(1), np.int8(-1), np.bool_(True), np.str_("x"), np.float64(2)],
        "types": [torch.float16, torch.device("cuda", 1), np.dtype("float32")],
        "size": [dense.shape, torch.Size([]), torch.__version__],
    }


def main() -> None:
    warnings.simplefilter("ignore")
    for name, value in values().items():
        for protocol in (2, 5):
            path = Path(sys.argv[1]) / f"{name}-{protocol}.pt"
            torch.save(value, path, pickle_protocol=protocol)
            print(path)


main()

"""Measures works on request of a benchmark in another process, so that both take turns.

Each line of the standard input is a JSON request:

    {"work": name, "warm_up": ms, "runs": n}
        runs the work uncounted for `warm_up` milliseconds, then n times; answers [ms, ...]
    {"ask": "about"}
        answers {"versions": {name: version}, "missing": {work: reason}}

Ends at the end of its input or when its output is closed. Ignores Ctrl-C, which the benchmark
handles.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def peer_options(description: str | None) -> argparse.Namespace:
    """The options of a peer that runs a model: `file` and `threads`. Sets PyTorch's threads."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count() or 1, help="default: one per processor"
    )
    options = parser.parse_args()
    import torch  # here, as not every peer has it

    torch.set_num_threads(options.threads)
    return options


def measure(work: Callable[[], Any], warm_up: float, runs: int) -> list[float]:
    """Milliseconds of each call, including the release of its result."""
    warm_at = time.perf_counter() + warm_up / 1e3
    while time.perf_counter() < warm_at:
        work()
    samples = []
    for _ in range(runs):
        started = time.perf_counter_ns()
        work()
        samples.append((time.perf_counter_ns() - started) / 1e6)
    return samples


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that the peer has imported."""
    names = ("torch", "safetensors", "numpy")
    found = {name: str(sys.modules[name].__version__) for name in names if name in sys.modules}
    return {"python": platform.python_version(), **found}


def serve(works: Mapping[str, Callable[[], Any]], missing: Mapping[str, str] | None = None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        request = json.loads(line)
        if request.get("ask") == "about":
            answer: Any = {"versions": versions(), "missing": dict(missing or {})}
        else:
            answer = measure(works[request["work"]], request["warm_up"], request["runs"])
        try:
            os.write(sys.stdout.fileno(), f"{json.dumps(answer)}\n".encode())
        except BrokenPipeError:
            return

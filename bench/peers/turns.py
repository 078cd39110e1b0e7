"""Takes turns with a benchmark in another process: measures what it is asked to, when it is asked to.

Requests come on the standard input, one JSON a line: {"work": name, "warm_up": ms of runs that don't count, "runs": n};
each is answered with a line [ms, ...]. {"ask": "about"} is answered with the versions of what runs here, and with the works
that can't be done here: {"versions": {name: version}, "missing": {work: why}}. It ends with its input, or when nobody
listens any more; Ctrl-C is for the benchmark.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any


def measure(work: Callable[[], Any], warm_up: float, runs: int) -> list[float]:
    """Milliseconds of each call; what a call returns is released inside the measured time."""
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
    """Of Python, and of those packages that the peer has imported."""
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

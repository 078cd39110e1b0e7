"""Takes turns with a benchmark in another process: measures what it is asked to, when it is asked to.

Requests come on the standard input, one JSON a line: {"work": name, "warm_up": ms of runs that don't count, "runs": n};
each is answered with a line [ms, ...].
"""

from __future__ import annotations

import json
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


def serve(works: Mapping[str, Callable[[], Any]]) -> None:
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(measure(works[request["work"]], request["warm_up"], request["runs"])), flush=True)

"""`foretide score`, with the seconds of each of its steps: a process of its own, which prints them as JSON when it is done.

`python -m tests.bench.timed_night DATE` in a home.
"""

import json
import os
import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from time import perf_counter
from typing import Any

from tests.bench.memory import peak_gb

# What a night consists of, in its order: the names by which the steps of the job find them.
STEPS = {
    "ingest": ("pipelines.defs.ingest", "ingest_all"),
    "checks": ("pipelines.data_nights", "take_stock"),
    "panel": ("pipelines.engineering", "panel"),
    "matrix": ("pipelines.engineering", "night_matrices"),
    "scores": ("pipelines.night", "score"),
    "delivery": ("pipelines.night", "deliver"),
    "page": ("pipelines.night", "report"),
    "verify": ("pipelines.night", "delivered"),
}


def main() -> None:
    """Run the command, then tell seconds by step, the rest, the processor's seconds and the height of memory."""
    begun, seconds = perf_counter(), dict.fromkeys(STEPS, 0.0)
    running: list[str] = []

    def timed(step: str, work: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(work)
        def through(*args: Any, **kwargs: Any) -> Any:
            # A step within another is part of it.
            if running:
                return work(*args, **kwargs)
            running.append(step)
            start = perf_counter()
            try:
                return work(*args, **kwargs)
            finally:
                seconds[step] += perf_counter() - start
                running.pop()

        return through

    for step, (module, name) in STEPS.items():
        setattr(import_module(module), name, timed(step, getattr(import_module(module), name)))
    from pipelines.cli.main import main as foretide

    sys.argv = ["foretide", "score", "--as-of", sys.argv[1], "--json"]
    code = 0
    try:
        foretide()
    except SystemExit as ended:
        code = int(ended.code or 0)
    whole, spent = perf_counter() - begun, os.times()
    told = {step: round(took, 2) for step, took in seconds.items()}
    told |= {"rest": round(whole - sum(seconds.values()), 2), "whole": round(whole, 2)}
    told |= {"cpu": round(spent.user + spent.system, 2), "peak_gb": peak_gb(), "code": code}
    print(json.dumps(told))


if __name__ == "__main__":
    main()

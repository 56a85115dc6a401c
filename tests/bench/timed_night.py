"""`foretide score`, with the seconds of each of its steps, by the clock and of the processor: a process of its own, which
prints them as JSON when it is done.

`python -m tests.bench.timed_night DATE` in a home.
"""

import json
import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from time import perf_counter, process_time
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
    "sinks": ("pipelines.sinks.night", "bring"),
    "page": ("pipelines.night", "report"),
    "verify": ("pipelines.night", "delivered"),
}


def main() -> None:
    """Run the command, then tell seconds by step, the rest, and the height of memory."""
    begun, spent = perf_counter(), process_time()
    seconds, cpu = dict.fromkeys(STEPS, 0.0), dict.fromkeys(STEPS, 0.0)
    running: list[str] = []

    def timed(step: str, work: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(work)
        def through(*args: Any, **kwargs: Any) -> Any:
            # A step within another is part of it.
            if running:
                return work(*args, **kwargs)
            running.append(step)
            start = perf_counter(), process_time()
            try:
                return work(*args, **kwargs)
            finally:
                seconds[step] += perf_counter() - start[0]
                cpu[step] += process_time() - start[1]
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
    seconds["whole"], cpu["whole"] = perf_counter() - begun, process_time() - spent
    told: dict[str, float] = {step: round(took, 2) for step, took in seconds.items()}
    told |= {f"{step}, cpu": round(took, 2) for step, took in cpu.items()}
    told |= {"peak_gb": peak_gb(), "code": code}
    print(json.dumps(told))


if __name__ == "__main__":
    main()

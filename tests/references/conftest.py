"""Both sides of a comparison: the reference tools' own process, and features by their names."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.matrix import build_matrix

ENVIRONMENT = Path(__file__).parents[2] / ".venv" / "references"
PYTHON = ENVIRONMENT / "bin" / "python"
ABSENT = "The reference tools are not installed. Run `make references`."


@pytest.fixture(scope="session")
def ask() -> Iterator[Callable[..., Any]]:
    """Asks a tool of `reference_tools.py`, e.g. `ask("rest_activity", values=hours, minutes=60)`.

    Skips where the tools are not installed, which on the way to main they have to be.
    """
    if not PYTHON.exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(ABSENT)
    # -I: the tools must not see Foretide's packages; -W: what they say about pandas is theirs.
    command = [str(PYTHON), "-I", "-W", "ignore", str(Path(__file__).with_name("reference_tools.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def answer(tool: str, **given: Any) -> Any:
            question = json.dumps({"tool": tool, "given": given}, default=np.ndarray.tolist)
            print(question, file=process.stdin, flush=True)
            line = process.stdout.readline()
            assert line, f"`{tool}` gave no answer: its own error is above."
            return json.loads(line)

        yield answer
        process.stdin.close()


@pytest.fixture
def features_of() -> Callable[..., pd.Series]:
    """Builds features by name from days, oldest first, as they were known on the day after the last one.

    E.g. `features_of(["sleep_duration_mean_7d_min"], sleep_duration=minutes)`.
    """

    def build(names: list[str], **measures: np.ndarray) -> pd.Series:
        dates = pd.date_range("2026-01-01", periods=len(next(iter(measures.values()))), freq="D", unit="us")
        days = {"subject_id": "ann", "local_date": dates, "known_on": dates + pd.Timedelta(days=1)}
        index = pd.DataFrame({"subject_id": ["ann"], "index_date": [dates[-1] + pd.Timedelta(days=1)]})
        subjects = pd.DataFrame({"subject_id": ["ann"], "enrolled_on": dates[:1]})
        events = pd.DataFrame({"subject_id": pd.Series(dtype=str), "event_on": dates[:0], "known_on": dates[:0]})
        return build_matrix(pd.DataFrame({**days, **measures}), events, subjects, index, features=names).iloc[0]

    return build

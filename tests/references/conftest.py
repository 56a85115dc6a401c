"""Figures of reference tools that cannot live beside Foretide's own packages: one process of theirs for the session."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

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

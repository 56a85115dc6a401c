"""The page of deviations says what the tests hold."""

import ast
import re
from importlib.metadata import version
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
INSTALLED_HERE = ("scipy", "statsmodels")


def rows() -> list[list[str]]:
    """Cells of each row of the table."""
    lines = [line for line in (ROOT / "docs" / "deviations.md").read_text().splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def functions() -> dict[str, ast.FunctionDef]:
    """Each test of this folder, by file and name."""
    return {
        f"{path.name}::{node.name}": node
        for path in HERE.glob("test_*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def figures_of(test: ast.FunctionDef) -> set[float | str]:
    """Numbers that a test or its parameters hold; a missing one is "nan"."""
    names = {node.attr for node in ast.walk(test) if isinstance(node, ast.Attribute)}
    numbers = {
        node.value for node in ast.walk(test) if isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    }
    return numbers | ({"nan"} & names)


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]}, {row[2]}")
def test_both_figures_are_those_that_the_test_holds(row):
    """The test of each row exists, and both figures stand in it."""
    held = figures_of(functions()[row[6].strip("`")])
    assert {figure if figure == "nan" else float(figure) for figure in row[3:5]} <= held


def test_every_deviation_that_is_tested_is_on_the_page():
    """What a test calls a deviation is what a reader finds."""
    called = {name for name, test in functions().items() if (ast.get_docstring(test) or "").startswith("Deviation:")}
    assert called == {row[6].strip("`") for row in rows()}


def test_the_releases_are_those_that_run():
    """Of the tools that run; restated ones say so."""
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements-references.lock").read_text(), re.MULTILINE))
    running = locked | {name: version(name) for name in INSTALLED_HERE}
    assert {(row[0], row[1]) for row in rows() if "restated" not in row[1]} == {
        (row[0], running[row[0].lower()]) for row in rows() if "restated" not in row[1]
    }

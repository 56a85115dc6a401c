"""A folder that holds a configuration and nothing else, or not even that: each command says what to do first, and phones nobody."""

from pathlib import Path

import pytest

from tests.pipelines.small_job import foretide

CONFIGURATION = "outcomes:\n  crisis: {events: [panic], horizons_days: [7]}\n"
NIGHT = ("--as-of", "2026-07-01")
FIRST = "Nothing has been ingested yet"


def folder_of(path: Path) -> set[str]:
    return {found.name for found in path.iterdir()}


@pytest.mark.parametrize("command", [("score",), ("run", *NIGHT), ("monitor",), ("policy",), ("explain", "x")])
def test_without_a_configuration_nothing_begins(command, tmp_path):
    """Exit code 2, the file that is missing, where to get one; nothing is made."""
    code, answer, _ = foretide(tmp_path, *command)
    assert (code, "Copy the commented foretide.yaml" in answer["error"]) == (2, True)
    assert folder_of(tmp_path) == set()


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [(("score",), 1, FIRST), (("score", *NIGHT), 1, FIRST), (("run", *NIGHT), 2, "no `dagster.yaml`"),
     (("run",), 2, "no `dagster.yaml`"),
     (("monitor",), 1, "no night was watched"), (("policy", "--simulate"), 1, FIRST), (("explain", "x"), 2, "no score_id"),
     (("explain", "0" * 24), 1, "No delivery here has that score")],
)  # fmt: skip
def test_before_anything_came_in_each_command_says_what_is_lacking(command, code, says, tmp_path):
    """What comes first, before champion or roster; and Dagster neither keeps records here nor learns of it."""
    (tmp_path / "foretide.yaml").write_text(CONFIGURATION)
    got, answer, _ = foretide(tmp_path, *command)
    assert (got, says in answer["error"]) == (code, True), answer
    assert folder_of(tmp_path) <= {"foretide.yaml", ".state"}

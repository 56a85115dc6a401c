"""Anybody's scores: a file with none of our columns is audited, and whatever is wrong with one is told without a value."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from pipelines.cli.main import app

ROWS_EACH, SUBJECTS = 12, 240
COLUMNS = ("--label", "happened", "--score", "p", "--subject", "who", "--groups", "ward,sex")


def scores(subjects: int = SUBJECTS, seed: int = 4) -> pd.DataFrame:
    """Weekly scores that know something of what happened, in three wards."""
    rng = np.random.default_rng(seed)
    who, week = np.repeat(np.arange(subjects), ROWS_EACH), np.tile(np.arange(ROWS_EACH), subjects)
    onset = rng.integers(0, 2 * ROWS_EACH, subjects)
    happened = ((onset[who] - week >= 0) & (onset[who] - week < 2)).astype(int)
    week_of = pd.Timestamp("2026-01-05") + pd.to_timedelta(7 * week, unit="D")
    return pd.DataFrame({
        "who": np.char.add("sentinel-9f3a-", who.astype(str)), "week": week_of, "happened": happened,
        "p": 1 / (1 + np.exp(3 - 2 * happened - rng.normal(0, 1, len(who)))).round(6),
        "ward": np.resize(["red", "green", "blue"], subjects)[who], "sex": np.resize(["F", "M", None, "F"], subjects)[who],
        "note": "not to be read",
    })  # fmt: skip


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def foretide(*arguments: object) -> tuple[int, dict[str, Any], str]:
    """The command in this process: exit code, its JSON answer, standard error."""
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    lines = done.stdout.strip().splitlines()
    return done.exit_code, json.loads(lines[-1]), done.stderr


def written(folder: Path, table: pd.DataFrame, name: str = "their scores.csv") -> Path:
    """The table as a file, as its name has it."""
    file = folder / name
    table.to_parquet(file) if file.suffix == ".parquet" else table.to_csv(file, index=False)
    return file


@pytest.mark.parametrize("name", ["scores.csv", "scores.parquet"])
def test_any_file_is_audited(tmp_path, name):
    """Verdicts by ward and sex, one page and its tables; no subject in any of them, no installation needed."""
    file = written(tmp_path, scores(), name)
    code, answer, _ = foretide(
        "audit", "--scores", str(file), *COLUMNS, "--time", "week", "--top", "5%", "--resamples", "100"
    )
    assert code == 0
    assert {row["attribute"] for row in answer["rows"]} == {"ward", "sex"}
    files = {path.name for path in (tmp_path / "audit" / "internal").iterdir()}
    assert {"report.html", "rows.csv", "verdicts.csv", "audit.json", "suppressed.csv", "README.txt"} <= files
    for path in (tmp_path / "audit").rglob("*"):
        if path.is_file():
            assert "9f3a" not in path.read_text(encoding="utf-8")
            assert "not to be read" not in path.read_text(encoding="utf-8")


def test_csv_and_parquet_say_the_same(tmp_path):
    """The form of a file changes no figure."""
    found = []
    for name in ("a.csv", "a.parquet"):
        code, _, _ = foretide(
            "audit", "--scores", str(written(tmp_path, scores(), name)), *COLUMNS, "--out", name + "-out"
        )
        assert code == 0
        found.append((tmp_path / f"{name}-out" / "internal" / "verdicts.csv").read_text().replace(name, "file"))
    assert found[0] == found[1]


def test_a_release_is_on_record_and_tells_nobody(tmp_path):
    """What left once leaves again; the same cohort without one of its subjects does not."""
    options = ("--time", "week", "--resamples", "100", "--release")
    file = written(tmp_path, scores())
    code, answer, _ = foretide("audit", "--scores", str(file), *COLUMNS, *options)
    assert code == 0
    assert (tmp_path / "audit" / "releasable" / "report.html").is_file()
    assert answer["paths"][-1].endswith("releasable")
    before = (tmp_path / "audit" / "releasable" / "audit.json").read_bytes()
    code, answer, _ = foretide("audit", "--scores", str(file), *COLUMNS, *options, "--out", "elsewhere")
    assert code == 0
    one_less = scores()[lambda of: of["who"] != of["who"].iloc[0]]
    code, answer, _ = foretide("audit", "--scores", str(written(tmp_path, one_less)), *COLUMNS, *options)
    assert code == 1
    assert "cells of release 1" in answer["error"]
    assert (tmp_path / "audit" / "releasable" / "audit.json").read_bytes() == before


WRONG = {
    "a label of 2": ({"happened": 2}, COLUMNS, "`happened` of their scores.csv has 1 of 2880 rows with another label"),
    "no label": ({"happened": None}, COLUMNS, "has 1 of 2880 rows with another label than 0 or 1"),
    "a score of 1.2": ({"p": 1.2}, COLUMNS, "`p` of their scores.csv has 1 of 2880 rows without a score from 0 to 1"),
    "a score missing": ({"p": None}, COLUMNS, "has 1 of 2880 rows without a score"),
    "a score that is text": ({"p": "high"}, COLUMNS, "has 1 of 2880 rows without a score"),
    "no subject": ({"who": None}, COLUMNS, "`who` of their scores.csv has 1 of 2880 rows without a subject"),
    "two groups": ({"ward": "green"}, COLUMNS, "`ward` of their scores.csv has two values for 1 subjects"),
    "no such column": ({}, (*COLUMNS[:-1], "ward,caste"), "has no column `caste` among its 7."),
    "no date": ({"week": "soon"}, (*COLUMNS, "--time", "week"), "`week` of their scores.csv has 1 of 2880 rows without a date"),
    "two scores a day": ({"week": "2026-01-12"}, (*COLUMNS, "--time", "week"), "1 rows that repeat a subject and a day"),
    "an unknown reference": ({}, (*COLUMNS, "--reference", "ward=white"), "No subject has the reference group declared for `ward`"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_file_is_refused_without_a_value(tmp_path, what):
    """Exit code 1; the message names the column and counts the rows; nothing is written."""
    changed, options, message = WRONG[what]
    table = scores().astype(object)
    for column, value in changed.items():
        table.loc[0, column] = value
    code, answer, stderr = foretide("audit", "--scores", str(written(tmp_path, table)), *options)
    assert code == 1
    assert message in answer["error"]
    assert "9f3a" not in answer["error"] + stderr
    assert "high" not in answer["error"]
    assert not (tmp_path / "audit").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (COLUMNS[:-2], "also needs --groups"),
        ((*COLUMNS, "--top", "5%", "--threshold", "0.2"), "two ways"),
        ((*COLUMNS, "--top", "many"), "not a share"),
        ((*COLUMNS, "--top", "0"), "between 0 % and 100 %"),
        ((*COLUMNS, "--threshold", "2"), "above 0, and at most 1"),
        ((*COLUMNS[:-1], ""), "names no column"),
        ((*COLUMNS, "--reference", "sex"), "needs a column and a value"),
        ((*COLUMNS, "--reference", "who=x"), "which is not among"),
        ((*COLUMNS[:-1], "ward,p"), "Column `p` is named for two things"),
        ((*COLUMNS, "--as-of", "today"), "not a date"),
    ],
)
def test_a_wrong_command_says_what_to_give(tmp_path, options, message):
    """Exit code 2, and the option that is off."""
    code, answer, _ = foretide("audit", "--scores", str(written(tmp_path, scores(30))), *options)
    assert code == 2
    assert message in answer["error"]


def test_a_file_that_is_none_is_refused_without_a_line_of_it(tmp_path):
    """Neither a ragged CSV nor bytes named Parquet break anything, and no line is quoted."""
    for name in ("ragged.csv", "bytes.parquet"):
        (tmp_path / name).write_text("who,p\nsentinel-9f3a,0.1,2,3\n")
        code, answer, stderr = foretide("audit", "--scores", name, *COLUMNS)
        assert code == 1
        assert "9f3a" not in answer["error"] + stderr


@pytest.mark.parametrize("cut", [{"header": False}, {"sep": ";"}, {"sep": ";", "header": False}])
def test_a_file_without_names_or_commas_is_refused_without_its_first_row(tmp_path, cut):
    """What stands where names should may be somebody's row."""
    scores(30).to_csv(tmp_path / "s.csv", index=False, **cut)
    code, answer, stderr = foretide("audit", "--scores", "s.csv", *COLUMNS)
    assert code == 1
    assert "set apart by commas" in answer["error"]
    assert "9f3a" not in answer["error"] + stderr


def test_a_file_of_names_alone_is_refused(tmp_path):
    """Nothing scored is nothing to audit."""
    scores(30).iloc[:0].to_csv(tmp_path / "s.csv", index=False)
    code, answer, _ = foretide("audit", "--scores", "s.csv", *COLUMNS)
    assert (code, "has no rows below its names" in answer["error"]) == (1, True)


@pytest.mark.parametrize("column", ["constant", "empty", "odd"])
def test_an_attribute_that_compares_nobody_is_told_so_by_itself(tmp_path, column):
    """One value for all, none for anybody, or one person apart: a page that cannot tell, no crash and no pass."""
    table = scores(60)
    table["constant"], table["empty"] = "x", None
    table["odd"] = np.where(table["who"] == table["who"].iloc[0], "one", "rest")
    file = written(tmp_path, table)
    code, answer, _ = foretide("audit", "--scores", str(file), *COLUMNS[:-1], column, "--resamples", "100", "--release")
    assert (code, answer["rows"]) == (0, [])
    for kind in ("internal", "releasable"):
        page = (tmp_path / "audit" / kind / "report.html").read_text()
        assert "cannot tell: that does not mean fair" in page


def test_odd_groups_are_named_and_never_judged(tmp_path):
    """A constant attribute, a group of one, a group without events, and 200 values: insufficient, or pooled by a stated rule."""
    table = scores()
    number = table["who"].str.rsplit("-", n=1).str[1].astype(int)
    table["constant"] = "x"
    table["odd"] = np.select([number == 0, number < 40], ["one", "calm"], "rest")
    table.loc[(number > 0) & (number < 40), "happened"] = 0
    table["village"] = (number % 200).astype(str)
    file = written(tmp_path, table)
    code, answer, _ = foretide(
        "audit", "--scores", str(file), *COLUMNS[:-1], "constant,odd,village", "--resamples", "100"
    )
    assert code == 0
    assert {row["attribute"] for row in answer["rows"]} == {"village"}
    assert len({row["group"] for row in answer["rows"] if row["attribute"] == "village"}) <= 12
    page = (tmp_path / "audit" / "internal" / "report.html").read_text()
    assert not re.search(r">[^<]*\bnan\b", page, re.IGNORECASE)


def test_the_audit_needs_no_configuration(tmp_path):
    """In an empty folder, from the command line as a person types it: a table, the page's path, and the warning."""
    file = written(tmp_path, scores(60))
    done = subprocess.run(
        [Path(sys.executable).with_name("foretide"), "audit", "--scores", file, *COLUMNS, "--resamples", "100"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert "Insufficient evidence never means fair." in done.stdout
    assert "report.html" in done.stdout

"""The bundle of an audit holds exactly what is shown, as spreadsheets and programs read it, whole or not at all."""

import csv
import json
from dataclasses import replace

import pandas as pd
import pytest

from models.fairness import showing
from pipelines.reports import bundle
from tests.models.small_audit import audit_of, cohort


def hostile_audit():
    """A group and a reason that a spreadsheet would run, and a negative difference that it must not take for one."""
    attributes, episodes = cohort()
    attributes["sex"] = attributes["sex"].replace("F", '=HYPERLINK("x")')
    of = audit_of(attributes, episodes)
    verdicts = of.tables["verdicts"].assign(difference=-0.25, why=["@why", *["-1"] * (len(of.cells) - 1)])
    return replace(
        of, tables={**of.tables, "verdicts": verdicts, "undefined": of.tables["rows"].assign(value=float("nan"))}
    )


def read(path):
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(params=[showing.internal, showing.releasable])
def shown(request):
    return request.param(hostile_audit())


def test_no_cell_of_a_csv_runs_as_a_formula_and_numbers_stay_numbers(shown, tmp_path):
    """Text that begins like a formula gets an apostrophe; negative numbers, in text too, stay what they are."""
    folder = bundle.write_bundle(tmp_path, shown)
    assert folder == tmp_path / shown.name
    verdicts = read(folder / "verdicts.csv")
    assert {row["difference"] for row in verdicts} == {"-0.25"}
    assert [row["why"] for row in verdicts[:2]] == ["'@why", "-1"]
    for path in folder.glob("*.csv"):
        for row in read(path):
            for value in row.values():
                is_number = pd.notna(pd.to_numeric(value, errors="coerce"))
                assert is_number or not value.startswith(("=", "+", "-", "@")), path.name
    assert any(row["group"] == '\'=HYPERLINK("x")' for row in read(folder / "cells.csv"))


def test_json_and_csv_hold_the_same_rows(shown, tmp_path):
    """One JSON with every table, what is missing as null, what it is about, and what is not in it."""
    folder = bundle.write_bundle(tmp_path, shown, "<p>page</p>")
    tidy = json.loads((folder / "audit.json").read_bytes())
    assert tidy["bundle"] == shown.name
    assert tidy["about"]["outcome"] == "crisis"
    for name, table in [*shown.tables.items(), ("suppressed", shown.suppressed)]:
        rows = tidy["suppressed"] if name == "suppressed" else tidy["tables"][name]
        assert len(rows) == len(table) == len(read(folder / f"{name}.csv"))
        for row, printed in zip(rows, read(folder / f"{name}.csv"), strict=True):
            assert list(row) == [c for c in printed if name == "suppressed" or c not in bundle.LEADING or c in row]
            for column in [c for c, value in row.items() if isinstance(value, float)]:
                assert float(printed[column]) == row[column]
    assert {row["value"] for row in tidy["tables"]["undefined"]} == {None}
    assert {row["value"] for row in read(folder / "undefined.csv")} == {""}
    assert (folder / "report.html").read_text() == "<p>page</p>"


def test_the_readme_says_what_is_claimed_and_what_is_not(tmp_path):
    """A release names its rules and disclaims more; the internal bundle says that it is not for release."""
    of = hostile_audit()
    released = (bundle.write_bundle(tmp_path, showing.releasable(of)) / "README.txt").read_text()
    assert "at least 10 subjects, at least 5 of them with an event" in released
    assert "none of differential privacy" in released
    assert "suppressed.csv" in released
    kept = (bundle.write_bundle(tmp_path, showing.internal(of)) / "README.txt").read_text()
    assert "Not for release" in kept


def test_a_bundle_takes_the_place_of_the_one_before_and_leaves_nothing_beside_it(shown, tmp_path):
    """Also over what killed commands left; same content, same bytes."""
    folder = bundle.write_bundle(tmp_path, shown, "old")
    former = bundle.digest(folder)
    (tmp_path / f".unfinished-{shown.name}").mkdir()
    (tmp_path / f".unfinished-{shown.name}" / "half.csv").write_text("half")
    (tmp_path / f".former-{shown.name}").mkdir()
    assert bundle.digest(bundle.write_bundle(tmp_path, shown, "new")) != former
    assert (folder / "report.html").read_text() == "new"
    assert bundle.digest(bundle.write_bundle(tmp_path, shown, "old")) == former
    assert [path.name for path in tmp_path.iterdir()] == [shown.name]


@pytest.mark.parametrize("sexes", [["F"] * 60 + ["M"] * 60, ["F"] * 120])
def test_what_is_empty_is_written_with_its_columns(sexes, tmp_path):
    """Nothing is suppressed of two large groups, nor of one that is everybody; and an audit may have no row of a kind."""
    names = [f"s{k}" for k in range(120)]
    of = audit_of(pd.DataFrame({"subject_id": names, "sex": sexes}), dict.fromkeys(names[::2], 1))
    rows = of.tables["rows"].iloc[:0]
    tables = {**of.tables, "none": rows, "untyped": rows.astype(object), "typed": rows.astype({"metric": "float64"})}
    shown = showing.releasable(replace(of, tables=tables))
    assert shown.suppressed.empty
    folder = bundle.write_bundle(tmp_path, shown)
    for name, columns in (("suppressed", shown.suppressed), ("none", rows), ("untyped", rows), ("typed", rows)):
        leading = () if name == "suppressed" else bundle.LEADING
        assert (folder / f"{name}.csv").read_text() == f"{','.join([*leading, *columns])}\n"
    assert len(read(folder / "cells.csv")) == len(shown.tables["cells"])


def test_an_error_leaves_nothing_of_a_bundle(shown, tmp_path):
    """What cannot be written is not half there, under no name; the bundle before it stands."""
    folder = bundle.write_bundle(tmp_path, shown, "old")
    former = bundle.digest(folder)
    with pytest.raises(UnicodeEncodeError):
        bundle.write_bundle(tmp_path, shown, "\ud800")
    assert [path.name for path in tmp_path.iterdir()] == [shown.name]
    assert bundle.digest(folder) == former

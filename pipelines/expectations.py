"""Great Expectations suites derived from `features/tables.py`; results hold counts and column names, never a value."""

import os
import warnings
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import pandas as pd

from features.tables import PROVENANCE, Column, Table

if TYPE_CHECKING:
    import great_expectations as gx

# SUMMARY with no partial lists is the result format that leaks nothing and still counts.
COUNTS_ONLY = {"result_format": "SUMMARY", "partial_unexpected_count": 0}


@dataclass(frozen=True)
class ValidationResult:
    """Whether rows keep their table's suite; each failure is (expectation, column, count of rows)."""

    success: bool
    rows: int
    failures: tuple[tuple[str, str, int], ...]


@cache
def _gx() -> Any:
    """Great Expectations, imported when first needed: it takes seconds and warns about itself."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations
        import great_expectations.expectations
    return great_expectations


@cache
def _context() -> "gx.data_context.EphemeralDataContext":
    context = _gx().get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    return context


def suite(table: Table) -> "gx.ExpectationSuite":
    """The expectations that every accepted row of a table keeps: columns, presence, ranges, known values."""
    expect = _gx().expectations
    expectations = [expect.ExpectColumnToExist(column=name) for name in table.arrow_schema().names]
    for column in (*table.columns, *PROVENANCE):
        expectations.extend(_of_column(column))
    return _gx().ExpectationSuite(name=table.name, expectations=expectations)


def _of_column(column: Column) -> list[Any]:
    expect = _gx().expectations
    found = []
    if column.is_required:
        found.append(expect.ExpectColumnValuesToNotBeNull(column=column.name))
    if column.low is not None or column.high is not None:
        found.append(
            expect.ExpectColumnValuesToBeBetween(column=column.name, min_value=column.low, max_value=column.high)
        )
    if column.allowed:
        found.append(expect.ExpectColumnValuesToBeInSet(column=column.name, value_set=list(column.allowed)))
    return found


def validate(table: Table, frame: pd.DataFrame) -> ValidationResult:
    """Run a table's suite over rows."""
    definition = _context_batch()
    # Great Expectations compares 64-bit floats as arrays, any other number value by value.
    numbers = {c.name: "float64" for c in (*table.columns, *PROVENANCE) if c.low is not None or c.high is not None}
    batch = definition.get_batch(
        batch_parameters={"dataframe": frame.astype({k: v for k, v in numbers.items() if k in frame})}
    )
    outcome = batch.validate(suite(table), result_format=COUNTS_ONLY)
    failures = tuple(_failure(result) for result in outcome.results if not result.success)
    return ValidationResult(not failures, len(frame), failures)


@cache
def _context_batch() -> Any:
    source = _context().data_sources.add_pandas("rows")
    return source.add_dataframe_asset("rows").add_batch_definition_whole_dataframe("rows")


def _failure(result: Any) -> tuple[str, str, int]:
    config = result.expectation_config
    return config.type, config.kwargs.get("column", ""), int(result.result.get("unexpected_count") or 0)

"""Great Expectations over the lake's rows; results hold counts and names of truths, never a value.

Rows that look alike to every expectation are judged once, with how many they are: fourteen million minutes have a few
thousand different looks. What Great Expectations finds unexpected is counted in rows, exactly.
"""

import os
import warnings
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd

from features.tables import Table
from pipelines.errors import Fault
from pipelines.lake import BUCKETS
from pipelines.sections import Signal
from pipelines.truths import STORED_ONCE, Truth, truths

if TYPE_CHECKING:
    import great_expectations as gx

# Of what is unexpected, only who brought it and how many rows it is; never the values.
COUNTS_ONLY = {
    "result_format": "COMPLETE",
    "unexpected_index_column_names": ["brought_by", "n_rows"],
    "exclude_unexpected_values": True,
    "partial_unexpected_count": 0,
    "return_unexpected_index_query": False,
}
LOOKS_AT_ONCE = 200_000
ROWS_AT_ONCE = 1_000_000


@dataclass
class Verdict:
    """How many rows of a table one delivery brought, and how many of them break which truth."""

    rows: int
    broken: dict[str, int] = field(default_factory=dict)


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
def _definition() -> Any:
    context = _gx().get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    source = context.data_sources.add_pandas("rows")
    return source.add_dataframe_asset("rows").add_batch_definition_whole_dataframe("rows")


def suite(name: str, held: Iterable[Truth]) -> "gx.ExpectationSuite":
    """Truths as expectations; what is not binding has the severity of a warning."""
    return _gx().ExpectationSuite(name=name, expectations=[_expectation(truth) for truth in held])


def _expectation(truth: Truth) -> Any:
    expect = _gx().expectations
    said = {
        "column": truth.sight,
        "description": truth.words,
        "meta": {"truth": truth.name},
        "severity": "critical" if truth.is_binding else "warning",
    }
    if truth.is_of_presence:
        return expect.ExpectColumnValuesToNotBeNull(**said)
    if truth.allowed is not None:
        return expect.ExpectColumnValuesToBeInSet(value_set=list(truth.allowed), **said)
    low, is_strict = (truth.low, False) if truth.above is None else (truth.above, True)
    return expect.ExpectColumnValuesToBeBetween(min_value=low, strict_min=is_strict, max_value=truth.high, **said)


def judge(table: Table, rows: duckdb.DuckDBPyRelation, signals: Mapping[str, Signal]) -> dict[str, Verdict]:
    """Hold rows to what is true of their table; a verdict for each delivery that brought any, by `ingest_id`.

    Memory does not grow with the rows, but with how many different ones there are among two hundred thousand.

    Args:
        table: the table that they are of.
        rows: rows as stored, with `bucket`.
        signals: the declared signals.
    """
    counted = rows.aggregate("ingest_id, count(*)::BIGINT AS n").fetchall()
    verdicts = {ingest_id: Verdict(n) for ingest_id, n in sorted(counted)}
    held = truths(table, signals)
    expectations = suite(table.name, held)
    for looks in _looks(rows, held):
        _judge(expectations, looks, verdicts)
    once = suite(f"{table.name} as a whole", [STORED_ONCE])
    for copies in _copies(table, rows, sum(verdict.rows for verdict in verdicts.values())):
        _judge(once, copies, verdicts)
    return verdicts


def _looks(rows: duckdb.DuckDBPyRelation, held: Collection[Truth]) -> Iterable[pd.DataFrame]:
    """What the truths look at, each different look once: `brought_by`, a column per sight, `n_rows`."""
    texts = {truth.sight for truth in held if truth.allowed is not None}
    # Great Expectations compares 64-bit floats as arrays, any other number value by value.
    sights = {t.sight: t.sql if t.sight in texts else f"CAST({t.sql} AS DOUBLE)" for t in held}
    seen = ", ".join(f'{sql} AS "{sight}"' for sight, sql in sights.items())
    looks = rows.aggregate(f"ingest_id AS brought_by, {seen}, count(*)::BIGINT AS n_rows")
    return (batch.to_pandas() for batch in looks.to_arrow_reader(LOOKS_AT_ONCE))


def _copies(table: Table, rows: duckdb.DuckDBPyRelation, how_many: int) -> Iterable[pd.DataFrame]:
    """How often a version of a row is there: `brought_by`, `copies`, `n_rows`; bucket by bucket, to bound memory."""
    version = ", ".join(dict.fromkeys(["ingest_id", *table.key, "received_at", "version"]))
    for portion in ["TRUE"] if how_many <= ROWS_AT_ONCE else [f"bucket = {number}" for number in range(BUCKETS)]:
        some = rows.filter(portion)
        if _may_hold_copies(some, version):
            counted = some.aggregate("ingest_id, count(*)::DOUBLE AS copies", version)
        else:
            counted = some.project("ingest_id, 1.0::DOUBLE AS copies")
        yield counted.aggregate("ingest_id AS brought_by, copies, sum(copies)::BIGINT AS n_rows").df()


def _may_hold_copies(rows: duckdb.DuckDBPyRelation, version: str) -> bool:
    """Whether any hash comes twice: different versions may have the same one, but never the other way round."""
    (most,) = rows.aggregate("count(*) AS copies", f"hash({version})").aggregate("max(copies)").fetchall()[0]
    return most is not None and most > 1


def _judge(expectations: "gx.ExpectationSuite", frame: pd.DataFrame, verdicts: dict[str, Verdict]) -> None:
    batch = _definition().get_batch(batch_parameters={"dataframe": frame})
    outcome = batch.validate(expectations, result_format=COUNTS_ONLY)
    for result in outcome.results:
        if not result.success:
            truth = result.expectation_config.meta["truth"]
            for ingest_id, n_rows in _unexpected(truth, result.result):
                broken = verdicts[ingest_id].broken
                broken[truth] = broken.get(truth, 0) + int(n_rows)


def _unexpected(truth: str, result: dict[str, Any]) -> Iterable[tuple[str, int]]:
    """Who brought what was unexpected, and how many rows it is."""
    if "unexpected_index_list" not in result:
        raise Fault(f"Great Expectations could not judge whether `{truth}` holds. Please report this.")
    (found,) = result["unexpected_index_list"]
    return zip(found["brought_by"], found["n_rows"], strict=True)

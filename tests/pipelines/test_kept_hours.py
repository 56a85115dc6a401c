"""Hours that an older program kept lack later columns: what needs those is missing, all else is as it was."""

import shutil
from datetime import date

import duckdb
import pandas as pd
import pytest
from deltalake import DeltaTable, write_deltalake

from features.hours import KEY
from pipelines import retention
from pipelines.kept_hours import table
from pipelines.lake import DELTA
from tests.pipelines.test_retention import installation, panel

# PyArrow 25 calls what pandas 3.1 deprecates: its warning, not ours.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning")

LATER = ["incidental", "slow", "active_bits", "still_bits"]
NEED_THEM = ["activity_incidental_minutes", "activity_slow_minutes", "activity_sedentary_bout",
             "activity_sedentary_longest", "activity_rest_to_active", "activity_active_to_rest"]  # fmt: skip
NIGHT = pd.Timestamp("2026-05-12")


def forget_later_columns(folder) -> None:
    """The table as a program without them had written it."""
    files = DeltaTable(str(folder)).file_uris()
    rows = duckdb.read_parquet(files).project(f"* EXCLUDE ({', '.join(LATER)})").to_arrow_table()
    shutil.rmtree(folder)
    write_deltalake(str(folder), rows, configuration=DELTA)


def test_hours_kept_by_an_older_program_are_read_and_added_to(tmp_path):
    """Two days kept long ago, then one more: the two lack bands and bouts, nothing else changes anywhere."""
    made = installation(tmp_path)
    before = panel(made, NIGHT)
    retention.retain(made, date(2026, 5, 3))
    forget_later_columns(table(made.lake))
    retention.retain(made, date(2026, 5, 4))
    after = panel(made, NIGHT)
    pd.testing.assert_frame_equal(after.drop(columns=NEED_THEM), before.drop(columns=NEED_THEM), check_exact=True)
    is_old = before["local_date"] < "2026-05-03"
    assert before.loc[is_old, NEED_THEM].notna().any(axis=None)
    assert after.loc[is_old, NEED_THEM].isna().all(axis=None)
    newer = [*KEY, *NEED_THEM]
    pd.testing.assert_frame_equal(after.loc[~is_old, newer], before.loc[~is_old, newer], check_exact=True)

"""Clinicians' verdicts as counts: by month, and by the tier of the score that they are about; who is few is not shown."""

import shutil

import pandas as pd
import pytest

from models.acted_on import AUROC
from models.baselines import MODEL
from pipelines import cohort, feedback
from pipelines.delivery.publish import publish
from pipelines.installation import Installation
from pipelines.reports import acted_on
from pipelines.reports.feedback import FEW, section
from pipelines.settings import load_settings
from pipelines.training import deeds
from tests.guarantees import installation_with_a_sentinel as made

MAPPING = """
source: clinic
time_zone: Europe/Berlin
files:
  - {path: by-score.csv, table: feedback, columns: {subject_id: id, given_at: at, verdict: verdict, score_id: score}}
  - path: by-night.csv
    table: feedback
    columns: {subject_id: id, given_at: at, verdict: verdict, outcome: outcome, as_of_date: night}
"""


@pytest.fixture(scope="module")
def clinic(tmp_path_factory) -> Installation:
    """An installation to which a clinic sent verdicts: by a score, by a night, on nothing in particular."""
    home = made.make_home(tmp_path_factory.mktemp("clinic"))
    own = made.scored(made.context("2026-06-29", "c")).query("horizon_days == 14").set_index("subject_id")["score_id"]
    (home / "clinic").mkdir()
    (home / "clinic" / "by-score.csv").write_text(
        f"id,at,verdict,score\n{made.SENTINEL},2026-06-29 09:00,useful,{own[made.SENTINEL]}\n"
        f"ox-1,2026-06-29 09:00,not_useful,{own['ox-1']}\n"
    )
    (home / "clinic" / "by-night.csv").write_text(
        "id,at,verdict,outcome,night\nox-3,2026-06-29 11:00,acted,crisis,2026-06-28\nox-2,2026-06-29 12:00,acted,crisis,2026-01-01\n"
    )
    (home / "clinic.yaml").write_text(MAPPING)
    received = ("--received-at", "2026-06-29T20:00:00+00:00")
    done = made.foretide(home, "ingest", "table", "clinic", "--mapping", "clinic.yaml", *received, "--json")
    assert done.returncode == 0, done.stdout
    return Installation(load_settings(home / "foretide.yaml"))


def known(clinic: Installation, night: str) -> cohort.Cohort:
    """Who was known on a night."""
    return cohort.load(clinic.lake, clinic.settings, pd.Timestamp(night))


def test_a_verdict_has_the_tier_of_the_score_that_it_is_about(clinic):
    """By its score_id, or by its night and outcome; where it names neither, or a night without a delivery, none is told."""
    found = feedback.verdicts(clinic, known(clinic, "2026-06-30")).set_index(["subject_id", "verdict"]).sort_index()
    assert found.loc[(made.SENTINEL, "useful"), "tier"] == "high"
    assert found.loc[("ox-1", "not_useful"), "tier"] == "baseline"
    assert set(found.loc[("ox-3", "acted"), "tier"]) == {"elevated", "not told"}
    assert set(found.loc[("ox-2", "acted"), "tier"]) == {"not told"}
    assert set(found["month"]) == {"2026-06"}


def test_what_a_verdict_is_about_counts_at_its_gravest(clinic, tmp_path):
    """A night that was delivered again with ox-3 in the high tier, elevated before: whichever was seen, the graver is meant."""
    shutil.copytree(clinic.settings.home, tmp_path / "clinic")
    of = Installation(load_settings(tmp_path / "clinic" / "foretide.yaml"))
    again = made.context("2026-06-28", "again")
    publish(of.settings.deliveries_folder, made.scored(again).replace({"tier": {"elevated": "high"}}), again)
    found = feedback.verdicts(of, known(of, "2026-06-30"))
    assert set(found.loc[(found["subject_id"] == "ox-3") & (found["tier"] != "not told"), "tier"]) == {"high"}


def test_a_night_knows_only_the_verdicts_received_by_its_cutoff(clinic):
    """What came in on the evening of the 29th is no news to that night, and is to the next."""
    assert len(feedback.verdicts(clinic, known(clinic, "2026-06-29"))) == 4
    assert len(feedback.verdicts(clinic, known(clinic, "2026-06-30"))) == 8
    assert feedback.verdicts(clinic, known(clinic, "2027-01-30")).empty


def test_a_training_counts_rows_acted_on_by_what_its_night_knows(clinic):
    """The call of 5 June and the verdicts of that day mean the 14 days up to it; what came in on the evening of the
    29th is unknown to the night of the 29th."""
    dates = pd.date_range("2026-05-20", "2026-06-10").astype("datetime64[us]")
    rows = pd.DataFrame({"subject_id": "ox-1", "index_date": dates})
    told = deeds.known(clinic.lake, known(clinic, "2026-06-30"))
    assert told.are_recorded
    assert rows["index_date"][told.marks(rows, 14, "crisis")].agg(["min", "max"]).dt.day.tolist() == [23, 5]
    night = pd.DataFrame({"subject_id": ["ox-3"], "index_date": [pd.Timestamp("2026-06-28").as_unit("us")]})
    on_the_eve = deeds.known(clinic.lake, known(clinic, "2026-06-29"))
    assert (told.marks(night, 14, "crisis").all(), on_the_eve.marks(night, 14, "crisis").any()) == (True, False)


def verdicts(n: int, verdict: str, tier: str = "high", month: str = "2026-06", first: int = 0) -> pd.DataFrame:
    """So many verdicts, each on another subject."""
    names = [f"s{first + number}" for number in range(n)]
    return pd.DataFrame({"month": month, "tier": tier, "verdict": verdict, "subject_id": names})


def test_verdicts_on_few_subjects_are_not_shown_nor_a_share_that_tells_them():
    """Ten subjects are shown, nine are not, however many verdicts they got; a share of which a part is few is none."""
    ten, nine = verdicts(10, "useful"), verdicts(9, "not_useful", first=50)
    often = pd.concat([nine] * 5)
    told = section(pd.concat([ten, often]))
    assert told is not None
    assert told["months"] == [("2026-06", ["10", FEW, "0", "0"])]
    assert told["tiers"] == [("high", "55", f"a part is on {FEW}")]
    fair = section(pd.concat([ten, verdicts(10, "acted", first=20), verdicts(20, "not_useful", first=50)]))
    assert fair is not None
    assert fair["tiers"] == [("high", "40", "50 %")]


def test_where_nobody_said_anything_there_is_no_section():
    """An empty table is no table of zeros."""
    assert section(verdicts(0, "useful")) is None


def results(metric: str, value: float) -> dict[str, object]:
    """A result row of the headline."""
    return {"outcome": "crisis", "task": "onset", "split": "unseen_subjects", "horizon_days": 14, "group": "all", "model": MODEL,
            "metric": metric, "value": value, "low": value - 0.1, "high": value + 0.1}  # fmt: skip


def counts(**told: object) -> pd.DataFrame:
    """What a training counted."""
    row = {"outcome": "crisis", "horizon_days": 14, "is_recorded": True, "labelled_rows": 2000, "acted_on_rows": 104,
           "acted_on_with_event_rows": 23, "labelled_subjects": 90, "acted_on_subjects": 31,
           "acted_on_with_event_subjects": 12}  # fmt: skip
    return pd.DataFrame([row | told])


def test_a_report_says_how_rows_acted_on_were_treated():
    """Kept, how many, how many with an event, and the ranking with and without them; few people are only told to be few."""
    rows = pd.DataFrame([results("auroc", 0.7), results(AUROC, 0.72)])
    said = acted_on.sentences(counts(), rows, "crisis", "unseen_subjects")
    assert "105 of 2,000 labelled rows were acted on" in said[0]
    assert "kept and learnt from as they are" in said[0]
    assert "An event followed 25 of those rows." in said[0]
    assert said[1].endswith("AUROC without them (0.72, 95 % 0.62 to 0.82), with them (0.70, 95 % 0.60 to 0.80).")
    few = acted_on.sentences(counts(acted_on_subjects=9), rows, "crisis", "unseen_subjects")
    assert (len(few), "fewer than 10 subjects" in few[0], "104" in few[0]) == (1, True, False)


def test_where_nothing_is_on_record_a_report_says_so():
    """Nothing known of is not nobody acted on; so it is of trainings of before, which did not count."""
    for told in (None, counts(is_recorded=False), counts(outcome="other")):
        (said,) = acted_on.sentences(told, pd.DataFrame(), "crisis", "unseen_subjects")
        assert said.startswith("None recorded")

"""What a cohort can prove: it shrinks with the root of the subjects, it is found as often as is said, and hides the few."""

import numpy as np
import pandas as pd
import pytest

from models import power
from models.fairness.alerts import TopShare
from models.fairness.audit import Audit, Audited, audit

AUDITED = Audited("made up", "crisis", "onset", 14, "unseen_subjects", "history_only")
SUBJECTS, DAYS = 120, 30


def cohort(seed: int, gain: float = 0.0, subjects: int = SUBJECTS, gap: float = 0.0) -> pd.DataFrame:
    """Rows scored by a rule (`probability`) and by a model that is better by `gain` (log odds) before an event.

    Two in five have an event. Of each subject both scores know the same, and each something of its own. Every second
    subject's events are seen better by half of `gap`, the others' worse.
    """
    rng = np.random.default_rng([seed, 5])
    person = np.repeat(np.arange(subjects), DAYS)
    is_ill = np.arange(subjects) % 5 < 2
    label = (is_ill[person] & (np.tile(np.arange(DAYS), subjects) >= DAYS - 10)).astype(int)
    shared = rng.normal(0, 0.8, subjects)[person] + rng.normal(0, 0.6, len(person)) + 1.2 * label
    shared = shared + gap * label * (person % 2 - 0.5)
    rule, model = (shared + rng.normal(0, 0.6, subjects)[person] + rng.normal(0, 0.6, len(person)) for _ in range(2))
    model = model + gain * label
    return pd.DataFrame({
        "subject_id": np.char.add("p", person.astype(str)), "label": label,
        "index_date": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.tile(np.arange(DAYS), subjects), unit="D"),
        "probability": 1 / (1 + np.exp(-rule)), "model": 1 / (1 + np.exp(-model)),
    })  # fmt: skip


def audited(rows: pd.DataFrame, sex: np.ndarray) -> Audit:
    """An audit of the rule's risks by sex."""
    attributes = pd.DataFrame({"subject_id": rows["subject_id"].unique(), "sex": sex})
    return audit(rows.drop(columns="model"), attributes, AUDITED, rule=TopShare(0.1), margin=0.1, resamples=200)


def test_more_correlation_means_a_smaller_gain_to_be_proven():
    """Uncorrelated, two equal AUROCs differ with root two of their standard error; where they go together, not at all."""
    assert power.detectable_gain(0.02, 0.0) == pytest.approx(2.8 * 0.02 * 2**0.5)
    assert power.detectable_gain(0.02, 0.5) == pytest.approx(2.8 * 0.02)
    assert power.detectable_gain(0.02, 1.0) == 0


def test_four_times_as_many_subjects_prove_half_the_difference():
    """The standard error falls with the root of the subjects, which is what missing event subjects are counted by."""
    few, many = (power.standard_error(cohort(1, subjects=n), 1000, 1) for n in (SUBJECTS, 4 * SUBJECTS))
    assert few / many == pytest.approx(2, rel=0.15)
    assert power.missing(50, 0.1, 0.05) == 150
    assert power.missing(50, 0.1, 0.1) == power.missing(50, 0.1, 0.2) == 0


def test_missing_event_subjects_are_told_up_to_the_next_five_never_as_none():
    """One that is missing is not zero that are missing."""
    assert power.missing(50, 0.101, 0.1) == 5


@pytest.fixture(scope="module")
def by_sex() -> tuple[Audit, pd.DataFrame]:
    """Two large groups and one of eight subjects, and what can be proven of them."""
    found = audited(cohort(1), np.array(["F"] * 56 + ["M"] * 56 + ["X"] * 8))
    return found, power.prospects(found, 0.03)


def test_the_gain_comes_first_with_its_range_and_everybody_counted(by_sex):
    """48 of 120 have an event; the range is that of the declared correlations."""
    gain = by_sex[1].iloc[0]
    assert (gain["claim"], gain["n_subjects"], gain["n_event_subjects"]) == (power.GAIN, 120, 48)
    assert gain["low"] < gain["detectable"] < gain["high"]
    assert gain["detectable"] == power.detectable_gain(0.03, power.CORRELATION)


def test_groups_too_small_to_be_shown_have_no_row_and_betray_no_count(by_sex):
    """Eight subjects are hidden, and so are counts from which theirs would follow by subtraction."""
    audit_of, found = by_sex
    gaps = found[found["claim"] == power.GAP]
    assert set(gaps["group"]) | set(gaps["reference"]) == {"F", "M"}
    assert gaps["n_subjects"].isna().all()
    assert gaps[[f"missing_{size}" for size in power.SIZES]].isna().all(axis=None)
    assert power.n_hidden(audit_of) == {"sex": 1}


def test_a_gap_that_can_be_proven_is_the_audits_own_minimum():
    """Share caught and AUROC of each group against its reference, to two decimals, with rounded counts."""
    found = audited(cohort(1), np.resize(["F", "M"], SUBJECTS))
    gaps = power.prospects(found, 0.03).iloc[1:].set_index("metric")
    verdicts = found.verdicts.set_index("metric")
    assert set(gaps.index) == {"tpr", "auroc"}
    for metric in gaps.index:
        assert gaps.loc[metric, "detectable"] == round(verdicts.loc[metric, "mdd"], 2)
    assert set(gaps["n_event_subjects"]) == {25}


def test_tidy_rows_name_each_claim_once(by_sex):
    """A gain and two gaps, each with its size and the event subjects missing for three sizes."""
    audit_of, found = by_sex
    rows = power.tidy(found, audit_of)
    assert len(rows) == len(found) * 4
    assert not rows.duplicated(["group", "metric"]).any()
    assert {"detectable_gain_auroc", "event_subjects_missing_gap_tpr_0.05"} <= set(rows["metric"])
    assert rows.loc[rows["metric"] == "detectable_gap_tpr", "group"].iloc[0] in ("sex=F", "sex=M")

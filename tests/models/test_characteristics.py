"""Table 1: who is in the cohort."""

import pandas as pd
import pytest

from models.characteristics import characteristics

START = pd.Timestamp("2026-01-01")


def label(subject: str, day: int, to_event: float | None, followed: int) -> dict[str, object]:
    """One index row of the onset task."""
    return {"subject_id": subject, "index_date": START + pd.Timedelta(days=day), "days_to_event": to_event,
            "followed_days": followed, "is_masked": False, "reachable_days": followed, "days_to_competing": None}  # fmt: skip


def cohort() -> pd.DataFrame:
    """Four subjects: a with two episodes, b with one, c followed without any, d known and without an index date."""
    attributes = pd.DataFrame({"subject_id": list("abcd"), "sex": ["F", "F", "M", None]})
    labels = pd.DataFrame(
        [
            label("a", 0, 5, 20),
            label("a", 1, 4, 19),  # the same onset, a day later
            label("a", 10, 3, 10),
            label("b", 0, 9, 10),
            label("c", 5, None, 5),
        ]
    )
    labels = labels.astype({"days_to_competing": float})
    return characteristics(attributes, labels, {}, 7)


def test_an_episode_counts_once_however_many_index_dates_saw_it_coming():
    """a: onsets on days 5 and 13; b: on day 9."""
    everybody = cohort().iloc[0]
    assert everybody["n_episodes"] == 3
    assert everybody["n_event_subjects"] == 2
    assert everybody["largest_event_share"] == pytest.approx(2 / 3)


def test_who_has_no_index_date_is_known_and_not_followed():
    """d counts among the subjects, not among those followed, and moves no mean of days."""
    everybody = cohort().iloc[0]
    assert (everybody["n_subjects"], everybody["n_followed"]) == (4, 3)
    assert everybody["followed_days"] == pytest.approx((20 + 10 + 5) / 3)


def test_groups_of_an_attribute_add_up_to_everybody():
    """Whose attribute is not recorded is a group as well."""
    found = cohort()
    groups = found[found["attribute"] == "sex"]
    assert set(groups["group"]) == {"F", "M", "not recorded"}
    counts = ["n_subjects", "n_followed", "n_event_subjects", "n_episodes"]
    assert groups[counts].sum().tolist() == found.loc[0, counts].tolist()


def test_the_share_of_missing_reports_is_told_by_group():
    """F: of three weeks that were followed up otherwise, one has no assessment; M: one of one; masked rows are asked for none."""
    attributes = pd.DataFrame({"subject_id": list("ac"), "sex": ["F", "M"]})
    rows = [label("a", day, None, 14 if day else 0) | {"reachable_days": 20} for day in range(3)]
    rows += [
        label("a", 3, None, 0) | {"reachable_days": 20, "is_masked": True},
        label("c", 0, None, 0) | {"reachable_days": 20},
    ]
    labels = pd.DataFrame(rows).astype({"days_to_competing": float, "days_to_event": float})
    found = characteristics(attributes, labels, {}, 7).set_index("group")["unreported_share"]
    assert found.to_dict() == pytest.approx({"all": 0.5, "F": 1 / 3, "M": 1.0})


def test_nobody_is_followed_beyond_death():
    """Dead on the third day: three days followed, though the horizon is decided for good."""
    labels = pd.DataFrame([label("a", 0, None, 60) | {"days_to_competing": 2.0}])
    labels["days_to_event"] = labels["days_to_event"].astype(float)
    found = characteristics(pd.DataFrame({"subject_id": ["a"], "sex": ["F"]}), labels, {}, 7)
    assert found["followed_days"].iloc[0] == 3
    assert found["unreported_share"].isna().all()

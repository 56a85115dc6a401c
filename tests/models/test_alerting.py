"""Whom a night brings to a clinician's attention: never more than capacity, never by chance, never hidden."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import alerting
from models.alerting import NO_ALERTS, Rules, Tier, alerts_of, decide, through

AS_OF = pd.Timestamp("2026-06-30").as_unit("us")
DAY = pd.Timedelta(days=1)


def rules(high=7.0, elevated=7.0, **changed) -> Rules:
    """Of 100 subjects one alert a night in each tier; nothing reserved."""
    given = {"reserved_for_quiet": 0.0, "refractory_days": 14, "worsens_by": 2.0, "holds_at": 0.8}
    return Rules(Tier("high", high, 0.05), Tier("elevated", elevated, 0.02), **{**given, **changed})


def night(risks, site="north", quiet=None) -> pd.DataFrame:
    """Subjects s00, s01, ... with these risks."""
    names = [f"s{n:02}" for n in range(len(risks))]
    is_quiet = [False] * len(risks) if quiet is None else quiet
    return pd.DataFrame({"subject_id": names, "site": site, "risk": np.array(risks, float), "is_quiet": is_quiet})


def alert(subject, risk, days_ago, tier="high", site="north", quiet=False) -> pd.DataFrame:
    """An alert of a past night."""
    row = (AS_OF - days_ago * DAY, subject, site, tier, "new", risk, quiet)
    return pd.DataFrame([row], columns=[*alerting.ALERT_COLUMNS])


def told(found) -> list[tuple[str, str | None]]:
    """Tier and alert by subject."""
    return [(tier, None if pd.isna(of) else of) for tier, of in zip(found["tier"], found["alert"], strict=True)]


def test_the_highest_risks_get_the_alerts_and_the_rest_none():
    """Of 100 subjects one high and one elevated alert a night (7 a week each); the others stay in baseline."""
    found = decide(night(np.linspace(0.01, 0.5, 100)), NO_ALERTS, rules(), AS_OF)
    assert told(found.tail(3)) == [("baseline", None), ("elevated", "new"), ("high", "new")]
    assert (found["tier"] != "baseline").sum() == 2
    assert found["rank"].tolist() == list(range(100, 0, -1))


def test_who_would_be_high_had_it_room_is_said_to_wait():
    """A risk above the floor of the high tier is never hidden by a capacity, also where another tier takes it."""
    found = decide(night([0.3, 0.2, 0.1, 0.04, 0.01]), NO_ALERTS, rules(), AS_OF)
    assert found["waits"].tolist() == [False, True, True, False, False]


def test_below_the_floor_nobody_is_alerted_whatever_room_is_left():
    """Floors: 0.05 for high, 0.02 for elevated."""
    found = decide(night([0.049, 0.019, 0.01]), NO_ALERTS, rules(700, 700), AS_OF)
    assert told(found) == [("elevated", "new"), ("baseline", None), ("baseline", None)]


def test_equal_risks_that_do_not_all_fit_wait_together():
    """Capacity is never filled by chance: of three equals and one place nobody is chosen."""
    found = decide(night([0.3, 0.3, 0.3]), NO_ALERTS, rules(), AS_OF)
    assert set(found["tier"]) == {"baseline"}
    assert found["rank"].tolist() == [1, 1, 1]
    assert found["waits"].all()


def test_an_alert_stands_and_is_not_repeated():
    """Within the refractory time the tier stays, without another alert, while the risk holds."""
    past = alert("s00", 0.30, 3)
    found = decide(night([0.28, 0.01]), past, rules(700), AS_OF)
    assert told(found)[0] == ("high", None)


def test_an_alert_ceases_to_stand_when_the_risk_falls_below_what_it_took():
    """Hysteresis: lately it took 0.30; at 0.8 of it, 0.24, the tier is lost, but not between 0.24 and 0.30."""
    past = alert("s00", 0.30, 3)
    at = {risk: decide(night([risk]), past, rules(0.1, 0.1), AS_OF)["tier"].iloc[0] for risk in (0.25, 0.23)}
    assert at == {0.25: "high", 0.23: "elevated"}
    assert decide(night([0.01]), past, rules(), AS_OF)["tier"].iloc[0] == "baseline"


def test_it_is_repeated_when_the_odds_have_doubled():
    """Odds of 0.10 are 1:9; twice that is 0.1818. A little less is no reason to alert again."""
    past = alert("s00", 0.10, 3)
    found = {risk: told(decide(night([risk]), past, rules(700), AS_OF))[0] for risk in (0.181, 0.182)}
    assert found == {0.181: ("high", None), 0.182: ("high", "worsened")}


def test_after_the_refractory_time_it_is_an_alert_again_and_after_four_weeks_a_new_one():
    """Alerted 13, 14 and 29 days ago."""
    found = {days: told(decide(night([0.3]), alert("s00", 0.3, days), rules(700), AS_OF))[0] for days in (13, 14, 29)}
    assert found == {13: ("high", None), 14: ("high", "again"), 29: ("high", "new")}


def test_a_higher_tier_alerts_within_the_refractory_time():
    """Who is elevated since yesterday gets the high alert when there is room for it; it is not called worse if it is not."""
    past = alert("s00", 0.2, 1, tier="elevated")
    assert told(decide(night([0.2]), past, rules(700), AS_OF))[0] == ("high", "again")


def test_a_week_holds_no_more_than_declared():
    """Six alerts in the last 6 nights and 7 a week leave one; the seventh night back does not count any more."""
    past = pd.concat([alert(f"x{n}", 0.4, n) for n in range(1, 7)])
    assert (decide(night([0.3] + [0.01] * 99), past, rules(), AS_OF)["alert"] == "new").sum() == 1
    full = pd.concat([past, alert("x9", 0.4, 6)])
    assert (decide(night([0.3] + [0.01] * 99), full, rules(elevated=0.01), AS_OF)["tier"] == "high").sum() == 0
    older = pd.concat([past, alert("x9", 0.4, 7)])
    assert (decide(night([0.3] + [0.01] * 99), older, rules(), AS_OF)["tier"] == "high").sum() == 1


def test_each_site_has_its_own_capacity():
    """South's alerts take no room in north, and a site without a name has room of its own."""
    both = pd.concat([night([0.3, 0.2]), night([0.5, 0.4], "south").assign(subject_id=["t0", "t1"]),
                      night([0.1], None).assign(subject_id=["u0"])])  # fmt: skip
    found = decide(both, NO_ALERTS, rules(), AS_OF).set_index("subject_id")
    assert found.index[found["tier"] == "high"].tolist() == ["s00", "t0", "u0"]


def test_a_site_may_declare_another_capacity():
    """2 a night in south, one elsewhere."""
    of = rules()
    of = Rules(Tier("high", 7, 0.05, {"south": 14}), of.elevated, 0.0, 14, 2.0, 0.8)
    for site, expected in (("north", 1), ("south", 2)):
        assert (
            decide(night(np.linspace(0.1, 0.5, 100), site), NO_ALERTS, of, AS_OF)["tier"] == "high"
        ).sum() == expected


def test_a_share_is_kept_for_those_who_were_quiet():
    """Of 5 places a night one is for a quiet subject, though five others have a higher risk."""
    quiet = [False] * 9 + [True] + [False] * 90
    risks = [0.5 - 0.01 * n for n in range(10)] + [0.01] * 90
    found = decide(night(risks, quiet=quiet), NO_ALERTS, rules(35, reserved_for_quiet=0.2), AS_OF)
    assert found.index[found["tier"] == "high"].tolist() == [0, 1, 2, 3, 9]
    without = decide(night(risks, quiet=quiet), NO_ALERTS, rules(35), AS_OF)
    assert without.index[without["tier"] == "high"].tolist() == [0, 1, 2, 3, 4]


def test_quiet_is_28_days_or_never():
    """Without any event, or the newest 28 days back."""
    assert alerting.is_quiet(pd.Series([27.0, 28.0, np.nan])).tolist() == [False, True, True]


risks_of_eight = st.lists(st.sampled_from([0.01, 0.03, 0.06, 0.2, 0.21, 0.5]), min_size=8, max_size=8)
histories = st.lists(risks_of_eight, min_size=1, max_size=20)


@settings(max_examples=60)
@given(histories, st.floats(1, 80), st.sampled_from([0.0, 0.2, 0.5]))
def test_no_history_breaks_the_capacity_or_the_order(nights, capacity, reserved):
    """In any 7 nights a site gets at most its capacity in each tier; on a first night nobody outranks one who was chosen."""
    of = rules(capacity, capacity, reserved_for_quiet=reserved)
    rows = pd.concat(
        [night(risks, quiet=[True, False] * 4).assign(as_of_date=AS_OF + n * DAY) for n, risks in enumerate(nights)]
    )
    found = through(rows, of)
    alerts = found[found["alert"].notna()]
    for tier in (of.high, of.elevated):
        n = alerts[alerts["tier"] == tier.name].groupby("as_of_date").size()
        by_night = n.reindex(pd.date_range(AS_OF, periods=len(nights)), fill_value=0)
        assert by_night.rolling(7, min_periods=1).sum().max() <= tier.per_week("north", 8)
        assert (alerts.loc[alerts["tier"] == tier.name, "risk"] >= tier.floor).all()
    for _, one in found[found["as_of_date"] == AS_OF].groupby("is_quiet"):
        chosen = one[one["alert"].notna()]
        others = one[one["alert"].isna()]
        assert others.empty or chosen.empty or others["risk"].max() < chosen["risk"].min()


@given(histories)
def test_a_night_decided_anew_from_past_alerts_is_the_same(nights):
    """Nothing is remembered but alerts: the last night, decided from those of the nights before, is what the course gave."""
    rows = [night(risks).assign(as_of_date=AS_OF + n * DAY) for n, risks in enumerate(nights)]
    found = through(pd.concat(rows), rules())
    before = [
        alerts_of(part, day)
        for day, part in found[found["as_of_date"] < AS_OF + (len(nights) - 1) * DAY].groupby("as_of_date")
    ]
    past = pd.concat(before) if before else NO_ALERTS
    last = decide(night(nights[-1]), past.sample(frac=1, random_state=1), rules(), AS_OF + (len(nights) - 1) * DAY)
    expected = found[found["as_of_date"] == AS_OF + (len(nights) - 1) * DAY].drop(columns="as_of_date")
    pd.testing.assert_frame_equal(last, expected.reset_index(drop=True))


def test_order_of_rows_decides_nothing():
    """Shuffled rows get the same tiers."""
    rows = night(np.linspace(0.01, 0.5, 40))
    one = decide(rows, NO_ALERTS, rules(), AS_OF)
    other = decide(rows.sample(frac=1, random_state=1), NO_ALERTS, rules(), AS_OF)
    pd.testing.assert_frame_equal(one, other.sort_values("subject_id", ignore_index=True))


@pytest.mark.parametrize("subjects", [1, 12, 19])
def test_a_small_site_gets_at_least_one(subjects):
    """5 per 100 of 12 subjects is less than one a week: rounded up, or nobody there could ever be seen."""
    assert Tier("high", 5, 0.05).per_week("north", subjects) == 1

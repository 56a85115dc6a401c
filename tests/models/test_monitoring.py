"""Watching over nights: what is counted, when it is out of the ordinary, how often that is wrong, and how scores turned out."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from models.fairness.groups import EVERYBODY, levels_of
from models.monitoring import counts, limits, prospective, signals
from models.monitoring.agreement import LEAST, agreement
from models.monitoring.counts import FEATURE
from models.monitoring.prospective import AUROC, CAUGHT, PPV, RATIO, Promise
from models.monitoring.series import ABSENT, LEVEL, Series, series_of, shifts

NIGHTS = pd.date_range("2026-01-01", periods=130, freq="D")


def subjects(n: int) -> pd.Index:
    """Names of so many subjects."""
    return pd.Index([f"p{k}" for k in range(n)], dtype="str")


def line(value: np.ndarray, group: str = EVERYBODY, statistic: str = LEVEL, kind: str = FEATURE) -> Series:
    """One or more series of everybody's."""
    value = value.reshape(len(value), -1)
    rows = [
        {"kind": kind, "outcome": "crisis", "name": f"f{k}", "group": group, "statistic": statistic}
        for k in range(value.shape[1])
    ]
    nights = pd.date_range("2026-01-01", periods=len(value), freq="D")
    return Series(nights, pd.DataFrame(rows), value, np.full(value.shape, 300.0))


def wandering(generator: np.random.Generator, nights: int, n: int, kept: float, sd: float = 0.05) -> np.ndarray:
    """Series of the same people night after night: most of last night's value stays, of shape (nights, n)."""
    value, step = np.zeros((nights, n)), generator.normal(0, sd * np.sqrt(1 - kept**2), (nights, n))
    value[0] = generator.normal(0, sd, n)
    for night in range(1, nights):
        value[night] = kept * value[night - 1] + step[night]
    return value


def test_a_night_is_kept_as_counts_of_groups_of_ten_or_more():
    """Every subject lies in one bin or among the missing; a group of nine is not there."""
    names = subjects(100)
    frame = pd.DataFrame({"x": np.where(np.arange(100) < 20, np.nan, np.arange(100.0))})
    attributes = pd.DataFrame({"subject_id": names, "site": ["a"] * 91 + ["b"] * 9})
    groups = counts.groups_of(levels_of(attributes, names), names)
    found = counts.count(FEATURE, "crisis", frame, counts.edges_of(frame), groups).set_index("group")
    assert list(found.index) == [EVERYBODY, "site=a"]
    assert found.loc[EVERYBODY, list(counts.COUNTED)].sum() == 100
    assert found.loc[EVERYBODY, counts.MISSING] == 20
    assert found.loc[EVERYBODY, list(counts.IN_BIN)].tolist() == [8] * 10


def test_edges_tell_of_nobody():
    """A column of fewer than 50 values, or of one value only, has no edges and is not counted."""
    frame = pd.DataFrame({"few": [*range(49), *[np.nan] * 51], "same": [1.0] * 100, "many": range(100)})
    assert list(counts.edges_of(frame)) == ["many"]


def test_a_level_is_in_standard_deviations_whatever_the_unit():
    """Who measures in other units, or with a wild outlier, has the same level."""
    names, before = subjects(300), norm.ppf((np.arange(300) + 0.5) / 300)
    after = before + 0.5
    levels = []
    for factor in (1.0, 1000.0):
        frames = [pd.DataFrame({"x": factor * before}), pd.DataFrame({"x": factor * after})]
        frames[1].loc[0, "x"] = 1e9
        groups = counts.groups_of({}, names)
        counted = pd.concat([
            counts.count(FEATURE, "", frame, counts.edges_of(frames[0]), groups).assign(as_of_date=night)
            for frame, night in zip(frames, NIGHTS, strict=False)
        ])  # fmt: skip
        of = series_of(counted, [NIGHTS[0]])
        levels.append(of.value[:, (of.table["statistic"] == LEVEL).to_numpy()].ravel())
        assert shifts(counted, NIGHTS[1], (1, 1))["psi"].iloc[0] > 0.15
    assert levels[0] == pytest.approx(levels[1])
    assert levels[0][0] == pytest.approx(0, abs=1e-9)
    assert levels[0][1] == pytest.approx(0.45, abs=0.12)


def test_a_step_is_told_on_its_second_night_and_not_before():
    """One odd night is none; two in a row are, and the stretch begins with the first."""
    value = wandering(np.random.default_rng(2), 130, 1, 0.8)
    value[80] += 1
    value[100:] += 1
    chart = limits.chart(line(value), 1.0)
    assert np.flatnonzero(chart.is_alarm[:, 0])[0] == 101
    (of,) = signals.of_night({signals.DRIFT: chart}, NIGHTS[101])
    assert of.since == f"{NIGHTS[100]:%Y-%m-%d}"


def test_what_passes_ends_and_what_lasts_becomes_what_is_expected():
    """An outage is over when values are back; a new level is expected once four weeks know no other."""
    passing, lasting = wandering(np.random.default_rng(3), 130, 2, 0.5).T
    passing[70:76] += 1
    lasting[70:] += 1
    chart = limits.chart(line(np.column_stack([passing, lasting])), 1.0)
    assert np.flatnonzero(chart.is_alarm[:, 0]).tolist() == list(range(71, 76))
    ends = np.flatnonzero(chart.is_alarm[:, 1])
    assert ends[0] == 71
    assert 70 + 21 <= ends[-1] <= 70 + 42


def test_a_night_without_a_run_ends_nothing():
    """A stretch goes on over a night that is missing."""
    value = wandering(np.random.default_rng(4), 110, 1, 0.5)
    value[80:] += 1
    value[85] = np.nan
    assert limits.chart(line(value), 1.0).is_alarm[81:100, 0].all()


def test_little_is_of_no_interest_however_sure():
    """A change of a tenth of a standard deviation is not told, though it is far beyond chance."""
    value = wandering(np.random.default_rng(5), 110, 1, 0.5, sd=0.001)
    value[90:] += 0.1
    assert not limits.chart(line(value), 1.0).is_alarm.any()


def test_missing_shares_have_limits_of_their_own():
    """Six in a hundred more missing are told where hardly any ever are."""
    value = np.abs(wandering(np.random.default_rng(6), 110, 1, 0.5, sd=0.004))
    value[90:95] += 0.06
    assert limits.chart(line(value, statistic=ABSENT), 1.0).is_alarm[91:95].all()


@pytest.mark.parametrize("kept", [0.0, 0.7, 0.9])
def test_false_alarms_keep_to_their_budget(kept: float):
    """200 series of the same people over two years give no more new alarms than are accepted, however much of a night stays."""
    value = wandering(np.random.default_rng(7), 62 + 730, 200, kept, sd=0.12)
    chart = limits.chart(line(value), 4.0)
    is_new = chart.is_alarm[1:] & ~chart.is_alarm[:-1]
    assert np.isfinite(chart.ratio[62:]).all()
    assert is_new.any(axis=1).sum() <= 2 * 4 * 2


def test_limits_for_independent_samples_would_alarm_all_the_time():
    """Why limits rest on earlier distances: of 300 people who hardly change, three standard errors are crossed on many nights."""
    value = wandering(np.random.default_rng(8), 400, 50, 0.95, sd=0.12)
    error = 3 / np.sqrt(300)
    distance = np.abs(value[35:] - np.stack([value[k : k + 28].mean(axis=0) for k in range(365)]))
    assert (distance > error).mean() > 0.05


def scores(n: int, seed: int, times: float = 1.0) -> pd.DataFrame:
    """Published scores of so many subjects over 28 nights: calibrated, but for risks that are said so many times too high."""
    generator = np.random.default_rng(seed)
    names, nights = np.repeat(subjects(n), 28), np.tile(NIGHTS[:28], n)
    risk = np.repeat(generator.beta(1.5, 9, n), 28)
    has_event = np.repeat(generator.random(n), 28) < risk
    onset = pd.Series(np.where(has_event, NIGHTS[30], pd.NaT)).astype("datetime64[us]")
    return pd.DataFrame({
        "subject_id": names, "as_of_date": nights, "probability": np.minimum(times * risk, 0.99), "label": has_event.astype(float),
        "onset": onset, "is_alert": risk > 0.3, "is_acted_on": False,
    })  # fmt: skip


def judged(rows: pd.DataFrame, promise: Promise | None = None) -> pd.DataFrame:
    """Figures of everybody by their metric, judged with a budget of one false alarm a year."""
    found = prospective.judged(prospective.figures(rows, {}, 200, 1), promise, 1.0)
    return found[found["group"] == EVERYBODY].set_index("metric")


def test_calibrated_scores_are_left_alone_and_risks_three_times_too_high_are_told():
    """As many events as said are no signal; a third of them is."""
    assert not judged(scores(400, 1))["is_beyond"].any()
    told = judged(scores(400, 1, times=3))
    assert told.loc[RATIO, "is_beyond"]
    assert told.loc[RATIO, "high"] < 0.6


def test_an_order_is_judged_by_what_was_promised_of_it():
    """AUROC below the promise is told, as far as both are sure; without a promise it is not judged."""
    rows = scores(600, 2)
    assert judged(rows, Promise(0.97, 0.96, 0.98)).loc[AUROC, "is_beyond"]
    assert not judged(rows, Promise(0.97, 0.5, 1.0)).loc[AUROC, "is_beyond"]
    assert not judged(rows).loc[AUROC, "is_beyond"]


def test_too_few_are_neither_shown_nor_judged():
    """Four subjects with an event have no figure, and nobody is counted."""
    rows = scores(60, 3)
    four = rows.loc[rows["label"] == 1, "subject_id"].unique()[:4]
    found = judged(rows.assign(label=rows["subject_id"].isin(four).astype(float)))
    assert found["value"].isna().all()
    assert (found["n_subjects"] == 0).all()
    assert not found["is_beyond"].any()


def test_alerts_are_counted_by_episode_and_by_row():
    """Of ten episodes the alerts came before six; of their rows three in four were followed by an event."""
    rows = scores(40, 4)
    name = rows["subject_id"].str[1:].astype(int)
    rows = rows.assign(label=(name < 10).astype(float), onset=NIGHTS[30], is_alert=name.isin([*range(6), 20, 21]))
    found = judged(rows)
    assert found.loc[CAUGHT, "value"] == pytest.approx(0.6)
    assert found.loc[PPV, "value"] == pytest.approx(0.75)


def test_who_was_acted_on_stands_apart():
    """Rows within whose horizon something was done, and those without, have figures of their own."""
    rows = scores(400, 5)
    rows = rows.assign(is_acted_on=rows["subject_id"].str[1:].astype(int) < 200)
    found = prospective.figures(rows, {}, 100, 1)
    by = found[found["metric"] == RATIO].set_index("group")["n_subjects"]
    assert by[prospective.ACTED] == by[prospective.NOT_ACTED] == 200
    assert by[[of for of in by.index if of.startswith(prospective.WEEKS)]].notna().all()


def test_fewer_nights_show_every_weekday():
    """Of many rows one night in so many stays, never of one weekday only."""
    rows = pd.DataFrame({"as_of_date": np.repeat(NIGHTS, 70)})
    left = prospective.thinned(rows, most=len(rows) // 7)
    assert len(left) <= len(rows) / 7
    assert left["as_of_date"].dt.day_of_week.nunique() == 7


def scored(night: str, version: str, risks: np.ndarray) -> pd.DataFrame:
    """A published night of as many subjects as there are risks."""
    return pd.DataFrame(
        {
            "as_of_date": pd.Timestamp(night),
            "subject_id": subjects(len(risks)),
            "model_version": version,
            "probability": risks,
        }
    )


def test_agreement_is_spearmans_by_hand():
    """30 subjects whose risks are turned round agree by -1; with two neighbours swapped by 1 - 6 x 2 / (30 x 899)."""
    risks = np.linspace(0.01, 0.3, 30)
    swapped = risks[[1, 0, *range(2, 30)]]
    night = pd.Timestamp("2026-07-02")
    for then, expected in ((risks[::-1], -1.0), (swapped, 1 - 12 / (30 * 899))):
        found = agreement(pd.concat([scored("2026-07-01", "1", then), scored("2026-07-02", "1", risks)]), night, 1)
        assert found is not None
        assert found.value == pytest.approx(expected)
        assert found.n_subjects == 30


def test_a_shuffled_order_is_lost_and_an_honest_retraining_is_not():
    """Of 300 subjects: the risks of others are found on the first night; a model that agrees by about 0.6 is left in peace."""
    generator = np.random.default_rng(1)
    before, night = generator.normal(size=300), pd.Timestamp("2026-07-02")
    honest = 0.6 * before + 0.8 * generator.normal(size=300)
    for risks, is_lost in ((generator.permutation(before), True), (honest, False)):
        rows = pd.concat([scored("2026-07-01", "1", norm.cdf(before)), scored("2026-07-02", "2", norm.cdf(risks))])
        found = agreement(rows, night, 4 / 6)
        assert found is not None
        assert found.is_lost == is_lost


def test_a_new_version_is_compared_with_the_last_night_of_the_one_before_it():
    """Its own nights in between agree with it and say nothing; after a week they are what there is."""
    generator = np.random.default_rng(2)
    old, new = generator.random(100), generator.random(100)
    nights = pd.date_range("2026-07-01", "2026-07-20")
    rows = pd.concat(
        [scored(f"{at:%Y-%m-%d}", "1" if k < 3 else "2", old if k < 3 else new) for k, at in enumerate(nights)]
    )
    told = [agreement(rows, at, 1) for at in nights]
    assert told[0] is None
    assert [found.with_version for found in told[1:]] == ["1"] * 9 + ["2"] * 10
    assert [found.is_lost for found in told[1:]] == [False] * 2 + [True] * 7 + [False] * 10
    assert {found.with_night for found in told[3:10]} == {pd.Timestamp("2026-07-03")}


@pytest.mark.parametrize("risks", [np.full(100, 0.1), np.linspace(0, 1, 29)])
def test_an_order_that_cannot_be_told_is_not_judged(risks):
    """Equal risks have no order, and 29 subjects are too few."""
    rows = pd.concat([scored("2026-07-01", "1", risks), scored("2026-07-02", "1", risks)])
    assert agreement(rows, pd.Timestamp("2026-07-02"), 1) is None


def test_an_order_at_the_line_is_seldom_called_lost():
    """Pairs that truly agree by the least that is asked give no more alarms than are accepted."""
    generator, lost, night = np.random.default_rng(3), 0, pd.Timestamp("2026-07-02")
    # The Pearson correlation whose Spearman correlation it is.
    rho = 2 * np.sin(np.pi * LEAST / 6)
    for _ in range(400):
        before = generator.normal(size=100)
        risks = rho * before + np.sqrt(1 - rho**2) * generator.normal(size=100)
        found = agreement(
            pd.concat([scored("2026-07-01", "1", before), scored("2026-07-02", "1", risks)]), night, 365 * 0.01
        )
        assert found is not None
        lost += found.is_lost
    assert lost <= 10  # 4 expected; 11 or more are rarer than 1 in 300

"""A search sees its own people only, forgets nothing when it is stopped, and wastes no time on what is hopeless."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from models import tuning
from models.baselines import MODEL, Predictor
from models.errors import ModelsError
from models.evaluation import GAIN
from models.growth import USUAL, Growth
from models.tuning import FOLD_MEAN, GAIN_OF_TUNING, TUNED, Search
from tests.models.made_up import FEATURES, OUTCOME, cohort

HISTORY = Predictor("history_only", "logistic", ("history_episode_rate",))


def search(growth: Growth = USUAL) -> Search:
    """Made-up people, two folds of them."""
    matrix, labels = cohort(subjects=60, days=90)
    return Search(
        matrix, labels, Predictor(MODEL, "boosted_trees", FEATURES, growth), OUTCOME.horizons_days, 14, 2, 3, 1
    )


@pytest.fixture
def by_rate(monkeypatch) -> None:
    """Folds that need no fit: the slower trees learn the better they are, in each of four folds."""

    def figures(of: Search, growth: Growth) -> Iterator[tuple[float, float]]:
        yield from ((0.9 - growth.learning_rate + fold / 100, 0.3) for fold in range(4))

    monkeypatch.setattr(tuning, "fold_figures", figures)


def tried(trials: int, storage: optuna.storages.BaseStorage | None = None) -> optuna.Study:
    """A study after so many finished trials."""
    study = tuning.study("it", storage)
    while len(tuning.finished(study)) < trials:
        tuning.try_next(study, search())
    return study


def test_what_is_declared_is_tried_first_even_outside_of_the_space(by_rate):
    """A search can never come to less than what is declared, as far as its own folds go."""
    deep = Growth(max_depth=9, learning_rate=0.9, reg_lambda=500.0)
    study = tuning.study("it")
    tuning.try_next(study, search(deep))
    assert tuning.grown(tuning.finished(study)[0].params) == deep
    assert tuning.chosen(study, 1, deep) == deep
    tuning.try_next(study, search(deep))
    assert tuning.chosen(study, 2, deep).learning_rate < 0.9


def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(by_rate, tmp_path, monkeypatch):
    """Stopped in mid-trial and opened again, it tries the very same, and the stopped trial counts for nothing."""
    whole = tuning.finished(tried(14))
    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 'trials.db'}")
    tried(5, storage)
    with monkeypatch.context() as stopped:
        stopped.setattr(tuning, "grown", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            tuning.try_next(tuning.study("it", storage), search())
    again = tried(14, optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 'trials.db'}"))
    assert [trial.params for trial in tuning.finished(again)] == [trial.params for trial in whole]
    assert len({tuple(trial.params.values()) for trial in whole}) == 14
    assert len(again.get_trials(states=(TrialState.FAIL,))) == 1


def test_a_hopeless_trial_is_cut_short_and_never_chosen(by_rate):
    """After five whole trials those that are worse than half of them end after two folds of four."""
    study = tried(25)
    cut = [trial for trial in tuning.finished(study) if trial.state == TrialState.PRUNED]
    assert cut
    assert min(len(trial.intermediate_values) for trial in cut) == tuning.FEWEST_FOLDS
    assert min(trial.number for trial in cut) >= tuning.WHOLE_TRIALS
    best = tuning.chosen(study, 25, USUAL)
    assert best.learning_rate == min(tuning.grown(trial.params).learning_rate for trial in tuning.finished(study))


def test_of_equal_ranks_the_better_calibrated_is_chosen(monkeypatch):
    """Equal AUROC, so the log loss decides; only the trials asked about count."""
    losses = iter([0.5, 0.4, 0.6, 0.1])
    monkeypatch.setattr(tuning, "fold_figures", lambda of, growth: iter([(0.7, next(losses))]))
    study = tried(4)
    assert tuning.chosen(study, 3, USUAL) == tuning.grown(tuning.finished(study)[1].params)
    assert tuning.chosen(study, 4, USUAL) == tuning.grown(tuning.finished(study)[3].params)


def test_people_left_out_of_a_search_change_nothing_in_it():
    """Other labels of an outer fold's people: the search without them finds the same figures to the bit."""
    honest = search()
    outer = honest.people()[0]
    turned = replace(honest, labels=honest.labels.assign(
        days_to_event=honest.labels["days_to_event"].where(~outer.test, 1.0)))  # fmt: skip
    found = [list(tuning.fold_figures(of.within(outer.train), USUAL)) for of in (honest, turned)]
    assert found[0] == found[1]
    assert list(tuning.fold_figures(turned, USUAL)) != list(tuning.fold_figures(honest, USUAL))


def test_tuning_is_worth_what_it_gains_on_people_left_out():
    """Trees that are declared so that they learn nothing are beaten; trees that are as declared gain exactly nothing."""
    idle = Growth(rounds=1, learning_rate=0.001)
    of, outer = search(idle), search().people()
    for growth, expected in ((USUAL, True), (idle, False)):
        predicted = tuning.tested(of, outer, [growth] * 2, [HISTORY], 2)
        rows = tuning.gains(predicted, of, "made up", "crisis", 100)
        gain = rows.set_index("metric").loc[GAIN_OF_TUNING]
        assert (gain["low"] > 0) == expected
        if not expected:
            assert gain["value"] == gain["low"] == gain["high"] == 0
        of_tuned = rows[rows["model"] == TUNED].set_index("metric")
        assert of_tuned.loc[GAIN, "group"] == "best baseline: history_only"
        fold_means = rows[rows["metric"] == FOLD_MEAN].set_index("model")["value"]
        assert gain["value"] == pytest.approx(fold_means[TUNED] - fold_means[MODEL])


def test_a_fold_mean_is_the_mean_of_the_folds_own_aurocs():
    """Not the AUROC of all rows together: risks of different fits are never compared."""
    of = search()
    predicted = tuning.tested(of, of.people(), [USUAL] * 2, [HISTORY], 1)
    rows = tuning.gains(predicted, of, "made up", "crisis", 100).set_index(["metric", "model"])
    expected = np.mean([auroc for auroc, _ in tuning.fold_figures(of, USUAL)])
    assert rows.loc[(FOLD_MEAN, MODEL), "value"] == pytest.approx(expected)


def test_too_few_people_with_an_event_are_refused():
    """Nobody can be held back from so few: said with the cure, and no trial is counted."""
    of = search()
    few = replace(of, labels=of.labels.assign(
        days_to_event=of.labels["days_to_event"].where(of.labels["subject_id"] < "p006")))  # fmt: skip
    study = tuning.study("it")
    with pytest.raises(ModelsError, match="Too few subjects with an event to try anything on others"):
        tuning.try_next(study, few)
    assert not tuning.finished(study)


def test_every_declared_way_to_grow_is_searched():
    """The space names each of them once, and holds the defaults."""
    assert list(tuning.SPACE) == list(asdict(USUAL))
    assert tuning.space(USUAL) == tuning.SPACE


def test_the_page_on_tuning_tells_the_space_that_is_searched():
    """Each range and default of docs/tuning.md is that of the code."""
    page = (Path(__file__).parents[2] / "docs" / "tuning.md").read_text()
    for (name, range_), usual in zip(tuning.SPACE.items(), asdict(USUAL).values(), strict=True):
        assert f"| `{name}` | {range_.low:g} | {range_.high:g} | {usual:g} |" in page

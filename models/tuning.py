"""Other ways to grow the model's trees, tried on folds of people, and what such a choice is worth on people it never saw.

A search sees the rows that it was given and nothing else. What it chose is therefore tested on people who were not among
them: each outer fold is left out of a search of its own, and only then predicted. The highest figure that a search met is no
estimate, for it was chosen for being high.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import numpy as np
import optuna
import pandas as pd
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState
from sklearn.metrics import log_loss, roc_auc_score

from models import contest, evaluation, protocol, resampling, splits
from models.baselines import Predictor
from models.errors import ModelsError
from models.evaluation import COLUMNS, GAIN
from models.growth import Growth
from models.outcomes import at_horizon
from models.protocol import Predictions
from models.splits import Split

Values = NDArray[np.float64]
TUNED = "tuned"
GAIN_OF_TUNING, FOLD_MEAN = "fold_mean_auroc_minus_as_declared", "fold_mean_auroc"
LOG_LOSS = "log_loss"
SPACE: Mapping[str, IntDistribution | FloatDistribution] = {
    "rounds": IntDistribution(40, 400, log=True),
    "max_depth": IntDistribution(1, 5),
    "learning_rate": FloatDistribution(0.01, 0.2, log=True),
    "min_child_weight": FloatDistribution(1.0, 100.0, log=True),
    "reg_lambda": FloatDistribution(0.1, 100.0, log=True),
    "subsample": FloatDistribution(0.5, 1.0),
    "colsample_bytree": FloatDistribution(0.1, 1.0),
}
# So many trials are gone through whole, and each in so many folds, before one is cut short: one fold says little.
WHOLE_TRIALS, FEWEST_FOLDS = 5, 2


@dataclass(frozen=True)
class Search:
    """What a search sees and how it tests: onset labels and matrix of some people, row by row, and the model as declared."""

    matrix: pd.DataFrame
    labels: pd.DataFrame
    predictor: Predictor
    horizons_days: tuple[int, ...]
    alert_horizon: int
    folds: int
    train_every_days: int
    seed: int

    def within(self, rows: NDArray[np.bool_]) -> "Search":
        """The same on some of the rows: the others are not there."""
        kept, labels = self.matrix[rows].reset_index(drop=True), self.labels[rows].reset_index(drop=True)
        return replace(self, matrix=kept, labels=labels)

    def people(self) -> list[Split]:
        """Its people in folds, each tested by a model of the others."""
        return list(splits.unseen_subjects(self.labels, self.folds, self.seed))

    def predict(self, predictors: tuple[Predictor, ...], split: Split) -> list[Predictions]:
        """Risks of one fold's people; nothing where the others are too few to learn from."""
        return protocol.cross_predict(
            self.matrix, self.labels, self.horizons_days, predictors, [split], self.train_every_days, self.seed, 1,
            lambda share: None,
        )  # fmt: skip


def space(declared: Growth) -> dict[str, BaseDistribution]:
    """What is searched: `SPACE`, made wider where what is declared lies outside of it."""
    return {
        name: type(range_)(min(range_.low, value), max(range_.high, value), log=range_.log)
        for (name, range_), value in zip(SPACE.items(), asdict(declared).values(), strict=True)
    }


def study(name: str, storage: optuna.storages.BaseStorage | None = None) -> optuna.Study:
    """The trials of one search, those of before included where the storage knows its name."""
    pruner = MedianPruner(n_startup_trials=WHOLE_TRIALS, n_warmup_steps=FEWEST_FOLDS - 1)
    return optuna.create_study(
        study_name=name, storage=storage, direction="maximize", pruner=pruner, load_if_exists=True
    )


def finished(of: optuna.Study) -> list[FrozenTrial]:
    """Trials that were gone through or cut short, first to last; not those that were stopped."""
    return of.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def try_next(of: optuna.Study, search: Search) -> None:
    """Try one more growth, first of all what is declared.

    A trial follows from the seed and from the finished ones before it, so that a search that was stopped goes on as if it had
    not been.

    Raises:
        ModelsError: too few people, or too few of them with an event.
    """
    done = finished(of)
    if not done and not of.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        of.enqueue_trial(asdict(search.predictor.growth))
    of.sampler = TPESampler(seed=search.seed + len(done))
    trial = of.ask(space(search.predictor.growth))
    try:
        of.tell(trial, *_went(trial, search))
    except BaseException:  # whatever stopped it, an interrupt too: a trial must not stay open
        of.tell(trial, state=TrialState.FAIL)
        raise


def _went(trial: Trial, search: Search) -> tuple[float | None, TrialState]:
    """Mean AUROC over the folds, or that it was cut short: after some folds worse than half of the trials before it."""
    aurocs, losses = [], []
    for auroc, loss in fold_figures(search, grown(trial.params)):
        aurocs.append(auroc)
        losses.append(loss)
        trial.report(float(np.mean(aurocs)), len(aurocs) - 1)
        trial.set_user_attr(LOG_LOSS, float(np.mean(losses)))
        if trial.should_prune():
            return None, TrialState.PRUNED
    if not aurocs:
        raise ModelsError(
            "Too few subjects with an event to try anything on others. Gather more data, or set fewer `training.folds`."
        )
    return float(np.mean(aurocs)), TrialState.COMPLETE


def fold_figures(search: Search, growth: Growth) -> Iterator[tuple[float, float]]:
    """AUROC and log loss at the alert horizon, fold after fold of the search's own people."""
    tried = replace(search.predictor, growth=growth)
    place = search.horizons_days.index(search.alert_horizon)
    for split in search.people():
        for found in search.predict((tried,), split):
            label = at_horizon(found.rows, search.alert_horizon)
            kept = np.isfinite(label)
            risk = found.risks[tried.name][kept, place]
            if len(np.unique(label[kept])) == 2:
                yield float(roc_auc_score(label[kept], risk)), float(log_loss(label[kept], risk))


def grown(params: Mapping[str, Any]) -> Growth:
    """What a trial tries, in as many digits as a person would write."""
    told = {name: value if isinstance(value, int) else float(f"{value:.3g}") for name, value in params.items()}
    return Growth(**cast("dict[str, Any]", told))


def chosen(of: optuna.Study, among: int, declared: Growth) -> Growth:
    """The growth with the highest AUROC among so many first trials; of equal ones that with the lower log loss."""
    tried = finished(of)[:among]
    whole = [trial for trial in tried if trial.state == TrialState.COMPLETE]
    best = max(whole, key=lambda trial: (trial.value, -trial.user_attrs[LOG_LOSS], -trial.number))
    return declared if best is tried[0] else grown(best.params)


def tested(
    search: Search, planned: Sequence[Split], growths: Sequence[Growth], baselines: Sequence[Predictor], threads: int
) -> Predictions:
    """Risks of each outer fold's people by trees as their own search chose, as declared, and by the baselines.

    Args:
        search: everybody.
        planned: the outer folds.
        growths: what was chosen on the training rows of each.
        threads: how many folds to work on at a time.

    Raises:
        ModelsError: too few people with an event to learn from.
    """

    def one(split: Split, growth: Growth) -> list[Predictions]:
        tuned = replace(search.predictor, name=TUNED, growth=growth)
        return search.predict((tuned, search.predictor, *baselines), split)

    with ThreadPoolExecutor(threads) as pool:
        found = [predicted for parts in pool.map(one, planned, growths) for predicted in parts]
    if not found:
        raise ModelsError("Too few subjects with an event to test what was chosen on others. Gather more data.")
    return protocol.pooled(found[0].split, search.horizons_days, [(p.rows, p.risks, {}) for p in found])


def gains(predicted: Predictions, search: Search, dataset: str, outcome: str, resamples: int) -> pd.DataFrame:
    """Tidy rows at the alert horizon: the gain of tuning, AUROCs as tuned and as declared, and the gain over the bar.

    What tuning gains is told as a mean over folds: each fold has a growth of its own, and pooling would compare their risks.
    Intervals are over resampled subjects, conditional on the fitted models and on what was chosen.

    Raises:
        ModelsError: no fold has an onset, or nothing else, among its people.
    """
    horizon, declared = search.alert_horizon, search.predictor.name
    place, label = search.horizons_days.index(horizon), at_horizon(predicted.rows, search.alert_horizon)
    kept = np.isfinite(label)
    risks = {name: risk[kept, place] for name, risk in predicted.risks.items()}
    rows = predicted.rows[kept].reset_index(drop=True).assign(label=label[kept], **risks)
    tuned, usual = (_fold_means(rows, name, resamples, search.seed) for name in (TUNED, declared))
    pooled = evaluation.aurocs(predicted).query("horizon_days == @horizon").set_index("model")["auroc"]
    best = str(pooled.drop([TUNED, declared]).sort_index().idxmax())
    over_bar, _ = contest.difference(rows, TUNED, best, resamples, search.seed)
    tidy = [
        (GAIN_OF_TUNING, TUNED, "all", *_with_interval(tuned - usual)),
        (FOLD_MEAN, TUNED, "all", *_with_interval(tuned)),
        (FOLD_MEAN, declared, "all", *_with_interval(usual)),
        (GAIN, TUNED, f"best baseline: {best}", *over_bar),
    ]
    frame = pd.DataFrame(tidy, columns=["metric", "model", "group", "value", "low", "high"])
    onset = rows["index_date"] + pd.to_timedelta(rows["days_to_event"], unit="D")
    episodes = rows.assign(onset=onset)[rows["label"] == 1][["subject_id", "onset"]].drop_duplicates()
    return frame.assign(
        dataset=dataset, outcome=outcome, task=predicted.task, horizon_days=horizon, split=predicted.split,
        n_subjects=rows["subject_id"].nunique(), n_episodes=len(episodes),
    )[list(COLUMNS)]  # fmt: skip


def _fold_means(rows: pd.DataFrame, name: str, resamples: int, seed: int) -> Values:
    """AUROC as a mean over folds, of everybody first, then of each resample of subjects."""
    subject, subjects = pd.factorize(rows["subject_id"])
    weights = np.vstack([np.ones(len(subjects)), resampling.draws(len(subjects), resamples, seed)])
    found = []
    for _, of in rows.groupby("fold"):
        label, unit = of["label"].to_numpy(dtype=float), subject[of.index].astype(np.int64)
        if len(np.unique(label)) == 2:
            pairs = resampling.concordance(of[name].to_numpy(), label, unit)
            found.append(pairs.auroc(weights))
    if not found:
        raise ModelsError("No onset, or nothing else, among those tested: no gain can be told. Gather more data.")
    mean: Values = np.mean(found, axis=0)
    return mean


def _with_interval(values: Values) -> tuple[float, float, float]:
    return float(values[0]), *resampling.interval(values[1:])

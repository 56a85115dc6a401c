"""What each family of features adds, on subjects that no model saw: onset AUROC with the family minus without it.

A family is added to history alone, taken out of everything that is on, and put into it in full. The two sides of a
contrast share learner, folds, seeds, training rows and resampled subjects; models are not refitted in a resample.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from features.catalog import Catalog
from features.feature import distance_name, family, feature_name
from features.history import TENURE as TENURE_DAYS
from features.measures import LONG, WINDOWS
from features.warm_up import WARM_UP_DAYS, warm_up_days
from models import resampling
from models.baselines import Predictor
from models.errors import ModelsError
from models.fairness.verdicts import FALSE_DISCOVERY_RATE, POWER_FACTOR
from models.growth import USUAL, Growth
from models.outcomes import at_horizon
from models.protocol import Predictions, cross_predict
from models.splits import Split

Values = NDArray[np.float64]
HISTORY, EVERYTHING, TENURE = "history", "everything", "tenure"
# With a family against without it: history and what is on of it; everything that is on; everything and the family in
# full; where nothing of it is on, history and the family in full. Last, trees over history against the rule over it.
ALONE, LEFT_OUT, IN_FULL, ALONE_IN_FULL, LEARNER = "alone", "left_out", "in_full", "alone_in_full", "learner"
ADDS, TAKES_AWAY, NOT_SHOWN = "adds", "takes away", "not shown"
CORE_STATISTICS = ("mean", "sd", "z")
COLUMNS = (
    "dataset", "outcome", "task", "horizon_days", "split", "family", "comparison", "features", "value", "low", "high",
    "n_subjects", "n_episodes", "verdict", "n_event_subjects", "mdd", "p_adjusted", "seeds", "seed_sd",
    "configurations", "names",
)  # fmt: skip


@dataclass(frozen=True)
class Contrast:
    """The same features with and without some of a family; `names` are those."""

    family: str
    comparison: str
    names: tuple[str, ...]
    more: Predictor
    less: Predictor


@dataclass(frozen=True)
class Trial:
    """How every configuration is fitted and tested: the folds of each seed, all else as in evaluation."""

    horizons_days: tuple[int, ...]
    splits: Mapping[int, Sequence[Split]]
    train_every_days: int
    resamples: int
    threads: int


def core(catalog: Catalog) -> frozenset[str]:
    """Names that make a family full: the rest of the catalogue repeats them.

    Mean, SD and own-past z over every window of each measure of which anything is on, or, in a modality of which nothing
    is on, of each measure; every pattern, and the anomaly distance, over every window, but no coverage of any. Without
    what nobody can have before months of enrolment: too few days would be left to learn from.
    """
    with_some_on = {family(f"{measure.name}_") for measure in catalog.measures if measure.default}
    coverages = {feature.coverage for feature in catalog.features}
    names = (
        *(feature_name(measure.name, kind, window, measure.unit)
          for measure in catalog.measures if measure.default or family(f"{measure.name}_") not in with_some_on
          for kind in CORE_STATISTICS for window in WINDOWS),
        *(feature_name(feature.name, "", window, feature.unit)
          for pattern in catalog.patterns for feature in pattern.features for window in pattern.windows),
        *(distance_name(window) for window in WINDOWS),
    )  # fmt: skip
    return frozenset(n for n in names if n not in coverages and warm_up_days((n,)) <= LONG + WARM_UP_DAYS)


def plan(
    families: Mapping[str, Sequence[str]],
    features_on: Collection[str],
    full: Collection[str],
    growth: Growth = USUAL,
) -> tuple[Contrast, ...]:
    """Every comparison that says something of a family.

    Args:
        families: features that the cohort has values of, by family; history is what all else is added to, tenure is
            left out.
        features_on: what models see.
        full: what they would see with every family in full.
        growth: of all trees.
    """

    def trees(name: str, features: tuple[str, ...]) -> Predictor:
        return Predictor(name, "boosted_trees", features, growth)

    on = {kin: tuple(n for n in names if n in features_on) for kin, names in families.items() if kin != TENURE}
    further = {kin: tuple(n for n in families[kin] if n in full and n not in on[kin]) for kin in on}
    history, everything = tuple(families[HISTORY]), tuple(name for names in on.values() for name in names)
    base, whole = trees(HISTORY, history), trees(EVERYTHING, everything)
    brought = tuple(name for name in everything if name not in history)
    found = [
        Contrast(HISTORY, LEARNER, (), base, Predictor("history_only", "logistic", history)),
        Contrast(EVERYTHING, ALONE, brought, whole, base),
    ]
    for kin in sorted(on, key=lambda kin: (kin != HISTORY, kin)):
        if on[kin]:
            left = tuple(name for name in everything if name not in on[kin])
            found.append(Contrast(kin, LEFT_OUT, on[kin], whole, trees(f"{EVERYTHING} - {kin}", left)))
        if kin != HISTORY:
            added = on[kin] or further[kin]
            kind = ALONE if on[kin] else ALONE_IN_FULL
            found.append(Contrast(kin, kind, added, trees(f"{HISTORY} + {kin}", (*history, *added)), base))
            more = trees(f"{EVERYTHING} + {kin}", (*everything, *further[kin]))
            found.append(Contrast(kin, IN_FULL, further[kin], more, whole))
    return tuple(contrast for contrast in found if contrast.names or contrast.comparison == LEARNER)


def ablate(
    matrix: pd.DataFrame,
    labels: pd.DataFrame,
    contrasts: Sequence[Contrast],
    trial: Trial,
    dataset: str,
    progress: Callable[[float], None],
) -> pd.DataFrame:
    """Tidy rows of every contrast at every horizon, with a verdict.

    Args:
        matrix, labels: row by row beside each other; labels of the onset task.
        contrasts: see `plan`.
        trial: see `Trial`; the first seed also draws the subjects.
        dataset: what the rows call the data.
        progress: told the share of splits done.

    Returns:
        `COLUMNS`: `value` is the difference of AUROCs, mean over seeds; `low, high` its 95 % interval over resampled
        subjects and seeds, conditional on the fitted models; `mdd` the smallest difference that this cohort had an 80 %
        chance to find, missing where no score differs; `p_adjusted` over all contrasts of the horizon; `seed_sd` how far
        the value moves with folds and fits.

    Raises:
        ModelsError: no fold holds enough subjects with an event to learn from.
    """
    aurocs, tested = _all_aurocs(matrix, labels, contrasts, trial, progress)
    parts = [_rows(contrasts, {name: of_seeds[:, k] for name, of_seeds in aurocs.items()}, horizon, tested[k])
             for k, horizon in enumerate(trial.horizons_days)]  # fmt: skip
    split = next(iter(trial.splits.values()))[0].name
    told = {"dataset": dataset, "outcome": labels["outcome"].iloc[0], "task": labels["task"].iloc[0], "split": split,
            "seeds": len(trial.splits), "configurations": len(aurocs)}  # fmt: skip
    return pd.concat(parts, ignore_index=True).assign(**told)[list(COLUMNS)]


@dataclass(frozen=True)
class _Tested:
    """Who was tested at one horizon, and the resamples of them that all configurations share, the first one everybody."""

    subjects: pd.Index
    weights: Values
    n_event_subjects: int
    n_episodes: int


def _all_aurocs(
    matrix: pd.DataFrame, labels: pd.DataFrame, contrasts: Sequence[Contrast], trial: Trial,
    progress: Callable[[float], None],
) -> tuple[dict[str, Values], list[_Tested]]:  # fmt: skip
    """AUROCs of every configuration, of shape (n_seeds, n_horizons, 1 + resamples), and who was tested at each horizon."""
    predictors = tuple(dict.fromkeys(side for contrast in contrasts for side in (contrast.more, contrast.less)))
    # One warm-up for all: else a family would also be judged by how many rows were left to learn from.
    warm_up = warm_up_days(name for predictor in predictors for name in predictor.features)
    is_warm = matrix[TENURE_DAYS].to_numpy() >= warm_up
    found: dict[str, list[Values]] = {predictor.name: [] for predictor in predictors}
    tested: list[_Tested] = []
    for done, (seed, splits) in enumerate(trial.splits.items()):

        def told(share: float, done: int = done) -> None:
            progress((done + share) / len(trial.splits))

        warm = [replace(split, train=split.train & is_warm) for split in splits]
        # All at once, so that all are tested on the same rows too.
        predicted = cross_predict(matrix, labels, trial.horizons_days, predictors, warm, trial.train_every_days, seed,
                                  trial.threads, told)  # fmt: skip
        if not predicted:
            raise ModelsError("Too few subjects with an event to try families of features on others. Gather more data.")
        tested = tested or [_tested(predicted[0], horizon, trial.resamples, seed) for horizon in trial.horizons_days]
        for name, risk in predicted[0].risks.items():
            found[name].append(np.stack([_auroc(predicted[0], risk, k, who) for k, who in enumerate(tested)]))
    return {name: np.stack(of_seeds) for name, of_seeds in found.items()}, tested


def _tested(predictions: Predictions, horizon: int, resamples: int, seed: int) -> _Tested:
    label = at_horizon(predictions.rows, horizon)
    rows = predictions.rows[np.isfinite(label)]
    subjects = pd.Index(rows["subject_id"].unique())
    drawn = resampling.draws(max(len(subjects), 1), resamples, seed)[:, : len(subjects)]
    before_onset = rows[label[np.isfinite(label)] == 1]
    onset = before_onset["index_date"] + pd.to_timedelta(before_onset["days_to_event"], unit="D")
    episodes = before_onset.assign(onset=onset)[["subject_id", "onset"]].drop_duplicates()
    return _Tested(
        subjects, np.vstack([np.ones(len(subjects)), drawn]), episodes["subject_id"].nunique(), len(episodes)
    )


def _auroc(predictions: Predictions, risk: Values, place: int, tested: _Tested) -> Values:
    """AUROC of one configuration's risks at one horizon, everybody first, then each resample."""
    label = at_horizon(predictions.rows, predictions.horizons_days[place])
    subject = tested.subjects.get_indexer(pd.Index(predictions.rows["subject_id"])).astype(np.int64)
    kept = np.isfinite(label) & (subject >= 0)
    pairs = resampling.concordance(risk[kept, place], label[kept], subject[kept])
    return pairs.auroc(tested.weights)


def _rows(contrasts: Sequence[Contrast], aurocs: Mapping[str, Values], horizon: int, tested: _Tested) -> pd.DataFrame:
    """Rows of one horizon; AUROCs of each model have the shape (n_seeds, 1 + resamples)."""
    rows = []
    for contrast in contrasts:
        apart = aurocs[contrast.more.name] - aurocs[contrast.less.name]
        drawn = resampled(apart[:, 1:])
        low, high = resampling.interval(drawn)
        rows.append({
            "family": contrast.family, "comparison": contrast.comparison, "features": len(contrast.names),
            "names": ", ".join(contrast.names), "value": float(apart[:, 0].mean()), "low": low, "high": high,
            "standard_error": float(pd.Series(drawn).std()), "seed_sd": float(pd.Series(apart[:, 0]).std()),
        })  # fmt: skip
    return judge(pd.DataFrame(rows)).assign(
        horizon_days=horizon, n_subjects=len(tested.subjects), n_episodes=tested.n_episodes,
        n_event_subjects=tested.n_event_subjects,
    )  # fmt: skip


def resampled(of_seeds: Values) -> Values:
    """Differences of resampled subjects, averaged over resampled seeds, of shape (resamples,) from (n_seeds, resamples).

    One seed fewer than there are is drawn each time, with replacement: their spread then counts in full, not short by one.
    """
    n_seeds, n = of_seeds.shape
    drawn = np.random.default_rng(n_seeds).integers(n_seeds, size=(max(n_seeds - 1, 1), n))
    mean: Values = of_seeds[drawn, np.arange(n)].mean(axis=0)
    return mean


def judge(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with `mdd, p_adjusted, verdict`: a verdict needs the whole interval on one side, and to stand among so many.

    Args:
        rows: `value, low, high, standard_error`; all of them are one family for Benjamini-Hochberg.
    """
    error = rows["standard_error"].to_numpy(dtype=np.float64)
    value = rows["value"].to_numpy(dtype=np.float64)
    is_known = np.isfinite(value) & np.isfinite(rows["low"].to_numpy()) & (error > 0)
    p = np.ones(len(rows))
    # From normal tails: resamples are too few for tails this far out.
    p[is_known] = 2 * stats.norm.sf(np.abs(value[is_known]) / error[is_known])
    adjusted = stats.false_discovery_control(p, method="bh")
    is_called = is_known & (adjusted <= FALSE_DISCOVERY_RATE)
    verdict = np.select([is_called & (rows["low"] > 0), is_called & (rows["high"] < 0)], [ADDS, TAKES_AWAY], NOT_SHOWN)
    return rows.assign(mdd=np.where(is_known, POWER_FACTOR * error, np.nan), p_adjusted=adjusted, verdict=verdict)

"""The controls of a training: statistical ones, and what is computed again and must be equal to the bit.

Statistics see only leaks that move a figure. A value that came from the future, from a later revision, from the target or
from who it is differs from what the raw rows of its time give; a fit that has seen test rows differs from one that cannot.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models import protocol
from models.baselines import MODEL, Predictor
from models.controls import COLUMNS, FALSE_ALARMS, STATISTICAL, Trial, leak_of, negative_controls, not_passed
from models.outcomes import Outcome
from models.splits import UNSEEN_SUBJECTS, Split
from pipelines import engineering
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.progress import Counts
from pipelines.training import evaluating
from pipelines.training.candidates import candidates
from pipelines.training.labelling import KEY
from pipelines.training.provenance import basis
from pipelines.training.recomputation import Recomputation

CONTROLS = "controls"
DECLARED, RECOMPUTED, REFITTED = "features_are_declared", "features_recomputed", "fit_repeated_without_test_rows"
# What every training runs for every outcome.
EXPECTED = (DECLARED, RECOMPUTED, REFITTED, *STATISTICAL)
# Index rows that are computed again, of how many subjects at most, on how many dates at most.
ROWS, SUBJECTS, DATES = 60, 12, 5
FUTURE_ROW, LATER_REVISION, FULL_DATA_FIT = "future row", "later revision", "full-data fit"


def check(installation: Installation, night: str) -> Counts:
    """Run every control for every outcome of the night's training; store `controls`; what each of them says.

    A control that fails is stored like the others: `training.register` refuses then, and says why.
    """
    parts = []
    for outcome in engineering.outcomes(installation):
        rows = pd.DataFrame(_of_outcome(installation, night, outcome), columns=COLUMNS)
        parts.append(rows.assign(outcome=outcome.name)[["outcome", *COLUMNS]])
    found = pd.concat(parts, ignore_index=True)
    installation.lake.replace(CONTROLS, found, version=basis(installation, night))
    return {f"{row['outcome']}: {row['control']}": str(row["told"]) for row in found.to_dict("records")}


def passed(installation: Installation, night: str) -> pd.DataFrame:
    """What the controls of the night's training found, all of which passed; its tables lie in the lake.

    Raises:
        Refused: none were run on what is known and declared now, one failed, or a later training was cut off.
    """
    lake, now = installation.lake, basis(installation, night)
    if lake.derived_version(CONTROLS) != now:
        raise Refused(
            "No controls were run on a training of what is known and declared now, by the code of now. Run `foretide train`."
        )
    rows, outcomes = lake.load(CONTROLS), installation.settings.outcomes
    lacking = {of: not_passed(rows[rows["outcome"] == of], EXPECTED) for of in outcomes}
    failed = rows[[row.control in lacking[row.outcome] for row in rows.itertuples()]]
    absent = sorted({name for names in lacking.values() for name in names}.difference(failed["control"]))
    if absent:
        raise Refused(f"Controls were not run: {', '.join(absent)}. So nothing follows from it. Run `foretide train`.")
    if len(failed):
        told = "; ".join(f"`{row.control}` for `{row.outcome}`: {row.told}" for row in failed.itertuples())
        raise Refused(
            f"{len(failed)} of {len(rows)} controls failed, so that figures of this training cannot be relied on, and nothing "
            f"follows from them: {told}. Mend what leaks, or take the named features away by `features: {{drop: [...]}}`, and "
            "train again."
        )
    made = ("served", *(f"{table}_{outcome}" for outcome in outcomes for table in ("training_matrix", "labels")))
    if any(lake.derived_version(name) != now for name in made):
        raise Refused(
            "The tables in the lake are not those of this training: a later one did not come to its end. Run `foretide train`."
        )
    return rows


def sentence(rows: pd.DataFrame) -> str:
    """How many controls passed, and which did not."""
    failed = rows.loc[~rows["is_passed"].eq(True), ["control", "outcome"]].drop_duplicates()
    if rows.empty:
        return "No controls were run."
    if failed.empty:
        unknown = int(rows["figure"].isna().sum())
        return f"All {len(rows)} controls pass" + (f", {unknown} of them not estimable." if unknown else ".")
    named = ", ".join(f"`{row.control}` ({row.outcome})" for row in failed.itertuples())
    return f"{len(failed)} of {len(rows)} controls fail: {named}."


def _of_outcome(installation: Installation, night: str, outcome: Outcome) -> Iterator[dict[str, object]]:
    lake, how = installation.lake, installation.settings.training
    matrix, labels = lake.load(f"training_matrix_{outcome.name}"), lake.load(f"labels_{outcome.name}")
    onset = labels[labels["task"] == "onset"].reset_index(drop=True)
    predictors = candidates(matrix, installation.settings.features_on(), how)
    planned = [s for s in evaluating.planned_splits(onset, outcome, how, how.seed) if s.name == UNSEEN_SUBJECTS]

    def progress(share: float) -> None:
        installation.report(f"controls, {outcome.name}", share)

    progress(0.0)
    yield _declared(installation, matrix, onset, outcome)
    yield _recomputed(installation, night, outcome, matrix, onset)
    yield _refitted(installation, outcome, matrix, onset, predictors, planned)
    trial = Trial(
        next(p for p in predictors if p.name == MODEL), outcome.horizons_days,
        installation.settings.outcomes[outcome.name].alert_horizon, planned, how.train_every_days, how.seed, how.threads,
        FALSE_ALARMS / 2 / len(installation.settings.outcomes),
    )  # fmt: skip
    yield from negative_controls(matrix, onset, trial, progress).to_dict("records")


def _row(control: str, figure: float, is_passed: bool, told: str) -> dict[str, object]:
    return dict(zip(COLUMNS, (control, figure, np.nan, is_passed, told), strict=True))


def _declared(
    installation: Installation, matrix: pd.DataFrame, onset: pd.DataFrame, outcome: Outcome
) -> dict[str, object]:
    """Whether every column of the matrix is a feature of the catalogue."""
    unknown = sorted(set(matrix.columns).difference(KEY, installation.settings.catalog().by_name))
    if not unknown:
        return _row(DECLARED, 0.0, True, f"all {matrix.shape[1] - len(KEY)} columns are features of the catalogue")
    leaks = {leak_of(matrix[name], onset, outcome.horizons_days) for name in unknown} - {None}
    like = f": {' and '.join(sorted(map(str, leaks)))}" if leaks else ""
    told = f"{len(unknown)} columns of the matrix are no features of the catalogue, first `{unknown[0]}`{like}"
    return _row(DECLARED, float(len(unknown)), False, told)


def sampled(matrix: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Some rows of few subjects on few dates, for each date costs a day panel of its own."""
    names = matrix["subject_id"].unique()
    mine = matrix[matrix["subject_id"].isin(rng.choice(names, min(SUBJECTS, len(names)), replace=False))]
    dates = mine["index_date"].sample(frac=1.0, random_state=rng).drop_duplicates()[:DATES]
    rows = mine[mine["index_date"].isin(dates)]
    return rows.sample(min(ROWS, len(rows)), random_state=rng)


def _recomputed(
    installation: Installation, night: str, outcome: Outcome, matrix: pd.DataFrame, onset: pd.DataFrame
) -> dict[str, object]:
    """Whether sampled rows hold what the raw rows known at their cutoffs give."""
    rng = np.random.default_rng([installation.settings.training.seed, pd.Timestamp(night).toordinal()])
    rows = sampled(matrix, rng)
    known = installation.settings.catalog().by_name
    features = [name for name in matrix.columns if name in known]
    raw = Recomputation(installation, engineering.cohort(installation, night), outcome, rows["subject_id"].unique())
    again = raw.of(rows, features)
    stored = again[KEY].merge(rows, on=KEY)
    if stored.empty:
        return _row(RECOMPUTED, np.nan, True, "not estimable: all sampled subjects came to another site since")
    differs = _differs(stored, again, features)
    what = f"{len(stored)} rows of {stored['subject_id'].nunique()} subjects on {stored['index_date'].nunique()} dates"
    if not differs.any():
        return _row(RECOMPUTED, 0.0, True, f"{len(features)} features of {what} are what raw rows of their time give")
    changed = [name for name, differ in zip(features, np.any(differs, axis=0), strict=True) if differ]
    later = stored[KEY].merge(raw.of_later_knowledge(stored, changed), on=KEY)
    is_else = np.any(differs[:, differs.any(axis=0)] & _differs(stored, later, changed), axis=0)
    leaks: dict[str, list[str]] = {}
    for name, not_by_later in zip(changed, is_else, strict=True):
        of_time = FUTURE_ROW if not_by_later else LATER_REVISION
        leaks.setdefault(leak_of(matrix[name], onset, outcome.horizons_days) or of_time, []).append(name)
    told = "; ".join(f"{leak} in {len(names)} features, first `{names[0]}`" for leak, names in leaks.items())
    n = int(differs.sum())
    return _row(RECOMPUTED, float(n), False, f"{n} values of {what} are not what raw rows of their time give: {told}")


def _differs(left: pd.DataFrame, right: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.bool_]:
    """Which values of two frames, row by row beside each other, are not equal to the bit, of shape (n_rows, n_columns)."""
    a, b = (frame[list(columns)].to_numpy(dtype=np.float64) for frame in (left, right))
    unlike: NDArray[np.bool_] = ~((a == b) | (np.isnan(a) & np.isnan(b)))
    return unlike


def _refitted(
    installation: Installation, outcome: Outcome, matrix: pd.DataFrame, onset: pd.DataFrame,
    predictors: Sequence[Predictor], planned: Sequence[Split],
) -> dict[str, object]:  # fmt: skip
    """Whether a fold that is fitted where its test rows are not gives one tested subject the risks that are stored.

    The first of the folds that had enough to learn from. Of that subject only features are there: the labels say nothing.
    """
    how = installation.settings.training
    declared = installation.settings.outcomes[outcome.name]
    rows = installation.lake.load(f"predictions_{outcome.name}").query("split == @UNSEEN_SUBJECTS")
    tested = ((split, rows[rows["subject_id"].isin(onset["subject_id"][split.test])]) for split in planned)
    split, stored = next(((split, of) for split, of in tested if len(of)), (planned[0], rows[:0]))
    if stored.empty:
        return _row(REFITTED, np.nan, True, "not estimable: no fold had enough subjects with an event to learn from")
    one = stored["subject_id"].value_counts().index[0]
    is_one = split.test & (onset["subject_id"] == one).to_numpy()
    kept = split.train | is_one
    labels = onset[kept].reset_index(drop=True)
    blank = is_one[kept]
    labels = labels.assign(
        days_to_event=labels["days_to_event"].mask(blank), followed_days=labels["followed_days"].mask(blank, 0)
    )
    alone = replace(split, train=~blank, test=blank)
    (again,) = protocol.cross_predict(
        matrix[kept].reset_index(drop=True), labels, outcome.horizons_days, tuple(predictors), [alone], how.train_every_days,
        how.seed, how.threads, lambda _: None,
    )  # fmt: skip
    horizon = outcome.horizons_days.index(declared.alert_horizon)
    risks = again.rows[KEY].assign(**{name: values[:, horizon] for name, values in again.risks.items()})
    names = [predictor.name for predictor in predictors]
    expected = stored.loc[stored["subject_id"] == one, [*KEY, *names]]
    differs = _differs(expected, expected[KEY].merge(risks, on=KEY, how="left"), names)
    what = f"{len(expected)} test rows of one fold by {len(names)} predictors"
    if not differs.any():
        return _row(REFITTED, 0.0, True, f"risks of {what} are those of fits that cannot see test rows")
    of = ", ".join(name for name, differ in zip(names, np.any(differs, axis=0), strict=True) if differ)
    told = (
        f"{int(differs.sum())} risks of {what} are not those of fits that cannot see test rows: {FULL_DATA_FIT} of {of}"
    )
    return _row(REFITTED, float(differs.sum()), False, told)

"""Searches for better ways to grow the model's trees, and says what the search itself is worth; declares nothing.

One search sees everybody and makes the proposal. One more search for each outer fold is made without its people, by the same
number of trials, and tested on them: that is the figure to quote. All go forward together, trial by trial, so that whenever
time is up they stand alike.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import optuna
import pandas as pd
from optuna.trial import TrialState

from models import tuning
from models.baselines import MODEL, Predictor
from models.growth import USUAL, Growth
from models.outcomes import Outcome
from models.splits import Split
from models.tuning import GAIN_OF_TUNING, Search
from pipelines import engineering
from pipelines.errors import Stopped, Usage
from pipelines.installation import Installation
from pipelines.training import controls, looks, trials
from pipelines.training.candidates import candidates
from pipelines.training.provenance import basis, dataset_name
from pipelines.training.trials import Mirror

EVERYBODY = "everybody"
# A gain of 0.01 and one of 0.001 are not the same answer.
DECIMALS = 3


@dataclass(frozen=True)
class Tuned:
    """What tuning came to.

    Attributes:
        rows: tidy rows of the nested estimate.
        declared, proposed: how trees are grown, and how the search over everybody would.
        own: mean AUROC over its folds of what is declared and of what is proposed, in the very search that proposes it.
        trials: finished in each search, of so many `wanted`; `n_cut` of all searches were cut short, of `n_tried`.
        searches: how many: one over everybody and one for each outer fold.
        n_earlier: trials on other data, declarations or code, which do not count.
    """

    rows: pd.DataFrame
    declared: Growth
    proposed: Growth
    own: tuple[float, float]
    trials: int
    wanted: int
    searches: int
    n_tried: int
    n_cut: int
    n_earlier: int

    @property
    def is_worth_declaring(self) -> bool:
        """Whether the search found something else, and such a choice gained anything on people whom it never saw.

        A gain that is 0 as it is printed is none.
        """
        gain = self.rows.loc[self.rows["metric"] == GAIN_OF_TUNING, "value"].iloc[0]
        return self.proposed != self.declared and round(float(gain), DECIMALS) > 0


def tune(installation: Installation, night: str, name: str, wanted: int, is_time_up: Callable[[], bool]) -> Tuned:
    """Go on with the searches until each has so many finished trials, those of earlier commands included.

    Args:
        name: of an outcome.
        wanted: trials of each search.
        is_time_up: asked after every round of one trial each.

    Raises:
        Usage: no such outcome is declared.
        Refused: no training of what is known and declared now passed its controls.
        ModelsError: too few people, or too few of them with an event.
    """
    outcome = _declared(installation, name)
    search, baselines = _search(installation, night, outcome)
    planned = search.people()
    searches = [search, *(search.within(split.train) for split in planned)]
    called = [EVERYBODY, *(f"without fold {split.fold}" for split in planned)]
    identity = _identity(installation, night, name, search)
    storage = trials.storage(installation)
    studies = dict(zip(called, (tuning.study(f"{identity} {of}", storage) for of in called), strict=True))
    for study in studies.values():
        _give_up_stopped(study)
    how = installation.settings.training
    mirror = Mirror(
        installation, identity, f"tune {name} {night}", {"night": night, "outcome": name, **how.model_dump()}
    )
    with _told_if_stopped(studies.values()):
        _go_on(
            installation, list(studies.values()), searches, wanted, is_time_up, lambda: mirror.show(studies),
            lambda n_tried: looks.record(installation, night, name, looks.TUNING, n_tried),
        )  # fmt: skip
        known = trials.studies_of(storage, name)
        n_earlier = sum(len(tuning.finished(study)) for of, study in known.items() if not of.startswith(identity))
        found = _found(installation, outcome, search, studies, baselines, planned, wanted, n_earlier)
    mirror.close(found.rows, asdict(found.proposed))
    return found


def is_of_a_search(installation: Installation, name: str, growth: Growth) -> bool:
    """Whether trees are grown otherwise than by default where a search on these people was made.

    Whatever was declared then may be what the search came to, or lie beside it: a training here is no test of it. A search
    that was stopped is on no record of looks, but its trials are there.
    """
    if growth == USUAL:
        return False
    if looks.is_on_record(installation.audit_log, name, looks.TUNING):
        return True
    # The first trial of each search is what was declared then.
    return trials.is_there(installation) and any(
        len(tuning.finished(study)) > 1 for study in trials.studies_of(trials.storage(installation), name).values()
    )


def _declared(installation: Installation, name: str) -> Outcome:
    declared = {outcome.name: outcome for outcome in engineering.outcomes(installation)}
    if name not in declared:
        raise Usage(f"No such outcome is declared. It is one of {', '.join(f'`{known}`' for known in declared)}.")
    return declared[name]


def _search(installation: Installation, night: str, outcome: Outcome) -> tuple[Search, list[Predictor]]:
    """The search over everybody, and the baselines."""
    controls.passed(installation, night)
    lake, settings = installation.lake, installation.settings
    how = settings.training
    matrix, labels = lake.load(f"training_matrix_{outcome.name}"), lake.load(f"labels_{outcome.name}")
    onset = labels[labels["task"] == "onset"].reset_index(drop=True)
    tried = candidates(matrix, settings.features_on(), how)
    model = next(p for p in tried if p.name == MODEL)
    horizon = settings.outcomes[outcome.name].alert_horizon
    search = Search(matrix, onset, model, outcome.horizons_days, horizon, how.folds, how.train_every_days, how.seed)
    return search, [p for p in tried if p.name != MODEL]


def _identity(installation: Installation, night: str, name: str, search: Search) -> str:
    """Names what trials follow from: with other data, declarations, code or another space they are others."""
    told = [optuna.distributions.distribution_to_json(d) for d in tuning.space(search.predictor.growth).values()]
    digest = hashlib.sha256("\n".join([basis(installation, night), *told]).encode()).hexdigest()
    return f"{name} {digest[:16]}"


@contextmanager
def _told_if_stopped(studies: Collection[optuna.Study]) -> Iterator[None]:
    """Whoever stops the block is told how many trials are kept.

    Raises:
        Stopped: the process was asked to end.
    """
    try:
        yield
    except KeyboardInterrupt:
        n_kept = sum(len(tuning.finished(study)) for study in studies)
        kept = "1 trial is" if n_kept == 1 else f"{n_kept} trials are"
        raise Stopped(f"{kept} kept, those of earlier commands included.") from None


def _give_up_stopped(study: optuna.Study) -> None:
    """Trials that a killed command left open would be waited for by the sampler."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)


def _go_on(
    installation: Installation, studies: Sequence[optuna.Study], searches: Sequence[Search], wanted: int,
    is_time_up: Callable[[], bool], after_round: Callable[[], None], before_round: Callable[[int], None],
) -> None:  # fmt: skip
    """Rounds of one trial in each of the searches that are furthest behind; `before_round` is told how many there will be."""
    after_round()
    with ThreadPoolExecutor(installation.settings.training.threads) as pool:
        while True:
            counts = [len(tuning.finished(study)) for study in studies]
            if min(counts) >= wanted or (min(counts) and is_time_up()):
                return
            behind = [i for i, count in enumerate(counts) if count == min(counts)]
            # Whatever stops a round, its trials are looks.
            before_round(sum(counts) + len(behind))
            tried = pool.map(lambda i: tuning.try_next(studies[i], searches[i]), behind)
            for done, _ in enumerate(tried, sum(min(count, wanted) for count in counts)):
                installation.report(
                    f"tuning {searches[0].labels['outcome'].iloc[0]}", (done + 1) / wanted / len(studies)
                )
            after_round()


def _found(
    installation: Installation, outcome: Outcome, search: Search, studies: dict[str, optuna.Study],
    baselines: Sequence[Predictor], planned: Sequence[Split], wanted: int, n_earlier: int,
) -> Tuned:  # fmt: skip
    how, declared = installation.settings.training, search.predictor.growth
    done = {called: tuning.finished(study) for called, study in studies.items()}
    among = min(len(tried) for tried in done.values())
    proposed, *left_out = (tuning.chosen(study, among, declared) for study in studies.values())
    installation.report(f"testing what was chosen, {outcome.name}")
    predicted = tuning.tested(search, planned, left_out, baselines, how.threads)
    rows = tuning.gains(predicted, search, dataset_name(installation), outcome.name, how.resamples)
    whole = [t.value for t in done[EVERYBODY][:among] if t.value is not None and t.state == TrialState.COMPLETE]
    tried = [trial for of in done.values() for trial in of]
    return Tuned(
        rows=rows,
        declared=declared,
        proposed=proposed,
        own=(whole[0], max(whole)),
        trials=among,
        wanted=wanted,
        searches=len(studies),
        n_tried=len(tried),
        n_cut=sum(trial.state == TrialState.PRUNED for trial in tried),
        n_earlier=n_earlier,
    )

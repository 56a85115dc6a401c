"""What the release policy says of a training: its evidence gathered, judged by `models.gate`, and stored as `decisions`."""

import json

import pandas as pd

from models import gate
from models.fairness import verdicts
from models.growth import Growth
from models.outcomes import Outcome
from models.policy import Policy
from pipelines import engineering
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.release import shadow, tracking
from pipelines.release.contest import against_champion
from pipelines.training.attributes import attributes
from pipelines.training.controls import EXPECTED
from pipelines.training.tuning import is_of_a_search

TABLE = "decisions"


def judge(installation: Installation, night: str) -> None:
    """Judge every outcome's challenger and store each rule as it turned out: `outcome, name, is_kept, told`.

    Raises:
        Refused: nothing was trained, or the fairness verdicts are of another training.
    """
    policy = Policy(**installation.settings.release_policy.model_dump())
    found = [
        pd.DataFrame(gate.decide(_evidence(installation, night, outcome), policy).rules).assign(outcome=outcome.name)
        for outcome in engineering.outcomes(installation)
    ]
    installation.lake.replace(TABLE, pd.concat(found, ignore_index=True))


def decision_of(installation: Installation, outcome: str) -> gate.Decision:
    """What was decided of an outcome's challenger when it was last judged."""
    rows = installation.lake.load(TABLE).query("outcome == @outcome")[["name", "is_kept", "told"]]
    return gate.Decision(tuple(gate.Rule(**row) for row in rows.to_dict("records")))


def served(installation: Installation, outcome: str) -> tuple[str, str]:
    """The predictor that earned being served, and the headline split."""
    try:
        row = installation.lake.load("served").set_index("outcome").loc[outcome]
    except KeyError as error:
        raise Refused(f"Nothing was trained yet for `{outcome}`. Run `foretide train` first.") from error
    return str(row["served"]), str(row["split"])


def reason(installation: Installation, outcome: str) -> str:
    """Why that predictor earned it: the gain, its interval and what could have been proven, in a sentence."""
    return str(installation.lake.load("served").set_index("outcome").loc[outcome, "reason"])


def is_tuned(installation: Installation, outcome: str) -> bool:
    """Whether a search on these people may have chosen how trees were grown in the last training, whatever is declared by now."""
    growth = installation.lake.load("served").set_index("outcome").loc[outcome, "growth"]
    return is_of_a_search(installation, outcome, Growth(**json.loads(str(growth))))


def _evidence(installation: Installation, night: str, outcome: Outcome) -> gate.Evidence:
    lake, name = installation.lake, outcome.name
    predictor, split = served(installation, name)
    results = lake.load("results")
    if lake.derived_version("verdicts") != tracking.content_of(results):
        raise Refused("The fairness verdicts are of another training than the results. Run `foretide audit` first.")
    judged = lake.load("verdicts").query("outcome == @name")
    tested = lake.load(f"predictions_{name}").query("split == @split")
    return gate.Evidence(
        rows=results.query("outcome == @name"),
        served=predictor,
        split=split,
        horizon_days=installation.settings.outcomes[name].alert_horizon,
        n_subjects=tested["subject_id"].nunique(),
        n_event_subjects=tested.loc[tested["label"] == 1, "subject_id"].nunique(),
        fairness=verdicts.count(
            judged,
            installation.settings.release_policy.min_group_event_subjects,
            _uncompared(installation, night, judged, tested["subject_id"]),
        ),
        controls=_controls(installation, name),
        expected_controls=EXPECTED,
        is_tuned=is_tuned(installation, name),
        contest=against_champion(installation, night, outcome, predictor, split),
        shadowed=shadow.nights(installation, name),
    )


def _controls(installation: Installation, outcome: str) -> pd.DataFrame | None:
    """How the controls of the training came out; None where it ran none."""
    try:
        return installation.lake.load("controls").query("outcome == @outcome")
    except KeyError:
        return None


def _uncompared(installation: Installation, night: str, judged: pd.DataFrame, tested: pd.Series) -> dict[str, str]:
    """Of declared attributes by which no two groups were compared, why."""
    subjects = attributes(installation, night)
    subjects = subjects[subjects["subject_id"].isin(tested)]
    names = [name for name in installation.settings.audit.attributes if name not in set(judged["attribute"])]
    is_recorded = {name: subjects[name].astype("string").str.strip().fillna("").ne("").any() for name in names}
    return {name: "has one group only" if is_recorded[name] else "is recorded for nobody" for name in names}

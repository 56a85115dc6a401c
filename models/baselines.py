"""The simple rules that a model must beat, as feature choices for the logistic learner."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from models.growth import USUAL, Growth
from models.risk import Learner

MODEL = "boosted_hazard"
WIDE_LOGISTIC = "wide_logistic"
# What learns from the streams: far more weights than anybody could state as a rule.
LEARNT = (MODEL, WIDE_LOGISTIC)
LAST_MOOD = "mood_valence_last_7d"
# How many features the wide logistic regression has: the first of those that are on, for choosing them would be fitting.
WIDE = 100
# What people read for each predictor.
CALLED = {
    MODEL: "Foretide's model",
    "prevalence": "the same risk for all",
    "past_episode_rate": "how often episodes began in the past year",
    "days_since_last_episode": "days since last episode",
    "last_mood": "last mood answer",
    "tenure_only": "time enrolled only",
    "history_only": "episode history only",
    "history_and_tenure": "history and time enrolled",
    "adherence_only": "how much was worn and answered",
    WIDE_LOGISTIC: f"logistic regression on {WIDE} features",
    "identity_only": "who it is, and nothing else",
}


@dataclass(frozen=True)
class Predictor:
    """A named way to predict: which features, which learner, and how its trees are grown where it has any.

    `reweighed_by` is the attribute by which its training rows are reweighed (`models.reweighing`), if by any.
    """

    name: str
    learner: Learner
    features: tuple[str, ...]
    growth: Growth = USUAL
    reweighed_by: str = ""


def called(name: str) -> str:
    """The model or a simple rule as it stands in a sentence; another predictor by its own name, spaced."""
    return CALLED.get(name, name.replace("_", " "))


def predictors(
    families: Mapping[str, Sequence[str]], seen: Sequence[str], growth: Growth = USUAL, reweighed_by: str = ""
) -> tuple[Predictor, ...]:
    """The model, then every baseline.

    Args:
        families: feature names by family.
        seen: what the model may see of them; never `tenure`: days since enrolment are an artefact of recruitment.
        growth: of the model's trees.
        reweighed_by: of all of them, see `Predictor`: what may serve is made alike.
    """
    history, tenure = tuple(families["history"]), tuple(families["tenure"])
    adherence = tuple(name for name in seen if name in families.get("adherence", ()))
    found = (
        Predictor(MODEL, "boosted_trees", tuple(name for name in seen if name not in tenure), growth),
        Predictor("prevalence", "logistic", ()),
        Predictor("past_episode_rate", "logistic", ("history_episode_rate",)),
        Predictor("days_since_last_episode", "logistic", ("history_days_since_last_episode",)),
        Predictor("last_mood", "logistic", (LAST_MOOD,)),
        Predictor("tenure_only", "logistic", tenure),
        Predictor("history_only", "logistic", history),
        Predictor("history_and_tenure", "logistic", (*history, *tenure)),
        *([Predictor("adherence_only", "logistic", adherence)] if adherence else []),
        Predictor(WIDE_LOGISTIC, "logistic", tuple(name for name in seen if name not in tenure)[:WIDE]),
    )
    return tuple(replace(predictor, reweighed_by=reweighed_by) for predictor in found)

"""Whether a model gives the risks that its outcome is declared to ask for: it is fitted for its horizons, and gives no others."""

from models import risk
from pipelines.errors import Refused
from pipelines.release.registry import ServedModel
from pipelines.reports import words
from pipelines.settings import Settings


def refuse_others(settings: Settings, served: ServedModel) -> None:
    """Let no model score an outcome that has been declared otherwise since it was fitted.

    Raises:
        Refused: the model's horizons are not the declared ones, or its outcome is no longer declared.
    """
    model = risk.load(served.folder)
    declared = settings.outcomes.get(model.outcome)
    if declared is None:
        raise Refused(
            f"`{served.name}` version {served.version} was trained for `{model.outcome}`, which is no longer declared. Declare "
            "the outcome again."
        )
    if declared.horizons_days != model.horizons_days:
        raise Refused(
            f"`outcomes: {model.outcome}: horizons_days:` asks for risks within {words.days(declared.horizons_days)}; "
            f"`{served.name}` version {served.version} was trained for {words.days(model.horizons_days)} and gives no others. Run "
            f"`foretide train`, or declare `horizons_days: {list(model.horizons_days)}` as before."
        )

"""What a report about a challenger belongs to: its night, its data, its model version, its policy, and who answers for what serves."""

from datetime import date

import pandas as pd

from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.release import ledger
from pipelines.release.registry import CHALLENGER, CHAMPION, model_name
from pipelines.reports.site import Context
from pipelines.settings import Settings
from pipelines.training.provenance import code_version, dataset_name


def context_of(installation: Installation, night: str, outcome: str) -> Context:
    """What a page about an outcome's challenger belongs to."""
    challenger = installation.registry.find(model_name(outcome), CHALLENGER)
    return Context(
        as_of=date.fromisoformat(night),
        dataset=dataset_name(installation),
        model_version="" if challenger is None else f"{challenger.name}/{challenger.version}",
        policy_version=policy_version(installation.settings),
        code_version=code_version(),
        overrides=overrides(installation, outcome),
    )


def policy_version(settings: Settings) -> str:
    """A short hash of the release and alert policies and of the declared outcomes: all that is declared and decides rows."""
    from pipelines.delivery.contract import short_hash

    outcomes = (f"{name} {declared.model_dump_json()}" for name, declared in settings.outcomes.items())
    return short_hash(settings.release_policy.model_dump_json(), settings.alert_policy.model_dump_json(), *outcomes)[
        :12
    ]


def overrides(installation: Installation, outcome: str) -> tuple[str, ...]:
    """In a sentence, that the outcome's champion serves outside the release policy; nothing where it does not."""
    champion = installation.registry.find(model_name(outcome), CHAMPION)
    return () if champion is None else ledger.overrides(installation.audit_log, [champion])


def last_night(installation: Installation) -> str:
    """The night of the last training, from the audit log.

    Raises:
        Refused: nothing was trained here.
    """
    trained = [entry["at"] for entry in installation.audit_log.entries() if entry["kind"] == "training"]
    if not trained:
        raise Refused("Nothing was trained yet. Run `foretide train` first.")
    return f"{pd.Timestamp(trained[-1]).tz_convert(installation.settings.sites.default_time_zone):%Y-%m-%d}"

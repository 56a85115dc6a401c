"""Command about the alert policy: `policy`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.answer import Answer
from pipelines.cli.app import AsOf, Config, Json, answering, app
from pipelines.cli.held import held

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.alert_sections import AlertPolicy
    from pipelines.settings import Settings


@app.command("policy")
@answering
def policy_command(
    proposed: Annotated[
        Path | None, typer.Argument(help="A configuration whose `alert_policy:` is simulated beside the one in force.")
    ] = None,
    simulate: Annotated[bool, typer.Option("--simulate", help="What it would have done on past nights.")] = False,
    deliveries: Annotated[
        Path | None, typer.Option(help="Nights to simulate on: those of a backtest, say; by default those in force.")
    ] = None,
    as_of: AsOf = None,
    config: Config = None,
    as_json: Json = False,
) -> Answer:  # fmt: skip
    """The alert policy in force, and with --simulate what it, or another one, would have caught and asked for."""
    from pipelines.settings import load_settings

    settings = load_settings(config)
    policies = {"in force": settings.alert_policy}
    if proposed is not None:
        policies["proposed"] = _proposed(settings, proposed)
    if not simulate:
        rows = [{"key": key, **of} for key, of in _keys(policies).items()]
        return Answer(
            "policy",
            rows,
            sentences=["Every step of care is for clinical review. --simulate tells what a policy does."],
        )
    from pipelines.alert_simulation import simulate as simulated
    from pipelines.cli.night_of import night_of
    from pipelines.reports import words

    with held(settings, as_json, settings.night.wait_minutes) as installation:
        found = simulated(
            installation, policies, deliveries or settings.deliveries_folder, night_of(installation, as_of)
        )
    sentences = [
        f"{words.counted(found.nights, 'night')}, begun with nobody on alert; of {found.nights_with_outcomes} what became of "
        "somebody is known.",
        "In brackets 95 % intervals over subjects (of days of warning: the quartiles), then the episodes and subjects that a figure "
        "rests on. Where intervals overlap, a difference is not proven.",
    ]
    rows = found.rows.to_dict("records") if as_json else _beside(found.rows)
    return Answer("policy", rows, sentences=sentences, is_told_first=True)


def _proposed(settings: "Settings", path: Path) -> "AlertPolicy":
    """The alert policy of another configuration, or of a file that holds nothing else."""
    import yaml

    from pipelines.errors import Usage
    from pipelines.settings import settings_from

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        told = content["alert_policy"]
    except FileNotFoundError as error:
        raise Usage(f"`{path.name}` is not there.") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise Usage(
            f"`{path.name}` holds no `alert_policy:`. Copy that section of foretide.yaml and change it."
        ) from error
    outcomes = {name: of.model_dump(exclude_unset=True) for name, of in settings.outcomes.items()}
    return settings_from({"outcomes": outcomes, "alert_policy": told}, settings.home, path.name).alert_policy


def _keys(policies: "dict[str, AlertPolicy]") -> dict[str, dict[str, Any]]:
    """The keys of policies, nested ones by their path, beside each other."""
    found: dict[str, dict[str, Any]] = {}
    for name, policy in policies.items():
        for key, value in policy.model_dump().items():
            nested = value if isinstance(value, dict) else {"": value}
            for inner, told in nested.items():
                found.setdefault(f"{key}.{inner}".rstrip("."), {})[name] = str(told)
    return found


def _beside(rows: "pd.DataFrame") -> list[dict[str, object]]:
    """A line for each metric, a column for each policy, as people read them."""
    told = rows.assign(told=[_told(row) for row in rows.itertuples()])
    table = told.pivot(index=["outcome", "tier", "metric"], columns="policy", values="told").fillna("-")
    order = told.drop_duplicates(["outcome", "tier", "metric"]).set_index(["outcome", "tier", "metric"]).index
    return table.reindex(order).reset_index().to_dict("records")


def _told(row: Any) -> str:
    """A figure with its interval, and what it rests on."""
    import math

    from models.fairness.disclosure import FEW_SUBJECTS

    if math.isnan(row.value):
        return FEW_SUBJECTS
    if math.isnan(row.n_episodes):
        # What is asked of a site: a count of these nights, and no estimate.
        return f"{row.value:.1f} ({row.n_subjects:.0f} subjects)"
    # No alert at all says nothing of how many there might have been.
    interval = f" ({row.low:.2f} to {row.high:.2f})" if row.low < row.high else ""
    return f"{row.value:.2f}{interval}, {row.n_episodes:.0f} episodes, {row.n_subjects:.0f} subjects"

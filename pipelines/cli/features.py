"""The command about the catalogue of features: `features`."""

import sys
from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.answer import Answer
from pipelines.cli.app import Config, Json, answering, app

if TYPE_CHECKING:
    from features.catalog import Catalog

# What the list shows on a terminal; `--json` and a single feature have every column.
LISTED = ("feature", "family", "unit", "window_days", "on", "words")


@app.command("features")
@answering
def features_command(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME_OR_FAMILY]", help="Only this feature, measure or family.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every feature, on a terminal too.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> Answer:
    """Every feature: what it means, and whether models see it under this configuration. On a terminal: the families."""
    from features.errors import FeaturesError
    from pipelines.errors import Usage
    from pipelines.settings import load_settings

    if every and name is not None:
        raise Usage("`--all` goes without a name.")
    settings = load_settings(config)
    catalog, on = settings.catalog(), frozenset(settings.features_on())
    if name is None and not (every or as_json) and sys.stdout.isatty():
        return _families(catalog, on)
    try:
        wanted = catalog.named(catalog.by_name if name is None else [name])
    except FeaturesError as error:
        raise Usage(str(error)) from error
    rows = [_row(feature, feature.name in on) for feature in catalog.features if feature.name in wanted]
    if as_json:
        return Answer("features", rows)
    if name in catalog.by_name:
        return Answer("features", [{"what": key, "is": _said(value)} for key, value in rows[0].items()])
    said = f"{len(on & wanted):,} of {len(rows):,} are on. `features:` in the configuration adds and drops."
    return Answer("features", [{key: _said(row[key]) for key in LISTED} for row in rows], sentences=[said])


def _families(catalog: "Catalog", on: Collection[str]) -> Answer:
    """How many features each family has and how many are on: the whole list would run past on a terminal."""
    from features.feature import RATIONALE

    names = {kin: catalog.named([kin]) for kin in RATIONALE}
    rows = [
        {"family": kin, "features": len(own), "on": len(own.intersection(on)), "why": RATIONALE[kin]}
        for kin, own in names.items()
    ]
    said = "`foretide features sleep` lists a family, `foretide features NAME` tells all of one feature, `--all` lists every one."
    return Answer("features", rows, sentences=[f"{len(on):,} of {len(catalog.features):,} are on.", said])


def _row(feature: Any, is_on: bool) -> dict[str, Any]:
    from features.feature import GRAIN
    from features.literature import in_full

    return {
        "feature": feature.name, "family": feature.family, "grain": GRAIN, "unit": feature.unit,
        "window_days": feature.window_days, "minimum": feature.minimum, "coverage": feature.coverage, "formula": feature.formula,
        "source": in_full(feature.source), "rationale": feature.rationale, "words": feature.words,
        "on_by_default": feature.is_default, "on": is_on,
    }  # fmt: skip


def _said(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)

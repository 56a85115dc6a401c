"""Tries a registered model on the cohort of another installation, which it never saw; stores nothing in either but the look."""

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from models import external_validation
from models.baselines import MODEL
from models.errors import ModelsError
from models.outcomes import Outcome
from models.risk import HazardModel
from pipelines import contents, engineering
from pipelines.errors import Refused, Usage
from pipelines.installation import Installation
from pipelines.release import overlap, registered
from pipelines.release.registry import CHAMPION, ModelVersion, model_name
from pipelines.reports import words
from pipelines.settings import CONFIG_NAME, Settings, load_settings
from pipelines.training import labelling, looks
from pipelines.training.candidates import candidates
from pipelines.training.provenance import dataset_name


@dataclass(frozen=True)
class Validated:
    """Tidy rows of every way, rule and horizon; which model, whose outcome, at which horizon to look first; and what else
    there is to know, in sentences."""

    rows: pd.DataFrame
    model: str
    outcome: str
    horizon_days: int
    remarks: list[str]


def validate(
    installation: Installation, told: str | None, cohort: Installation, night: str, outcome: str | None = None
) -> Validated:
    """How the model does on the cohort as known for a night: as is, its calibration updated, its recipe refitted.

    Args:
        told: the model, as `registered.named` takes it; the champion if not given.
        cohort: the installation whose subjects are tested; only its day panel is brought up to date.
        outcome: the cohort's outcome, where it has another name than the model's.

    Raises:
        Refused: no such model, its files were altered, it was trained on this cohort or on people of it, or the cohort lacks
            its outcome, its horizons or its features.
        ModelsError: too few subjects, or no event.
    """
    version = registered.named(installation, told or champion_of(installation.settings, outcome))
    model = registered.load(installation, version)
    _refuse_its_own(installation, version, cohort)
    known_at = pd.Timestamp(version.tags["known_at"])
    who = overlap.in_both(installation.lake, known_at, cohort.lake, engineering.cohort(cohort, night))
    declared = _outcome(model, cohort, outcome)
    _refuse_unknown_features(model, cohort.settings)
    features = tuple(dict.fromkeys([*engineering.needed(cohort.settings), *model.features]))
    matrix, labels = labelling.labelled_past(cohort, night, declared, features)
    how, horizon = cohort.settings.training, cohort.settings.outcomes[declared.name].alert_horizon
    today = candidates(matrix, cohort.settings.features_on(), how)
    rules = tuple(predictor for predictor in today if predictor.name != MODEL)
    predicted = external_validation.predict(
        model, matrix, labels, rules, how.folds, how.train_every_days, how.seed, how.threads,
        lambda share: cohort.report(f"refitting on {declared.name}", share),
    )  # fmt: skip
    rows = external_validation.measure(
        predicted,
        dataset_name(cohort),
        declared.name,
        how.resamples,
        how.seed,
        cohort.settings.audit.top_share,
        how.decision_thresholds,
    )
    # By its content: another installation's model of the same name is another one.
    what = f"validation of {version.content_sha256}"
    looks.record(cohort, night, declared.name, what, len(external_validation.WAYS))
    if not (rows["horizon_days"] == horizon).any():
        raise ModelsError(
            f"Fewer than two subjects have an event of `{declared.name}` within {words.counted(horizon, 'day')}, so nothing can be "
            "said of a model there. Gather more data."
        )
    remarks = [*_differences(installation, model, declared), *_missing(model, matrix), *_too_few(predicted.risks), who]
    return Validated(rows, registered.label(version), declared.name, horizon, remarks)


def cohort_settings(told: Path) -> Settings:
    """The configuration of the cohort that a person means: its file, or the folder that holds it.

    Raises:
        Usage: there is none.
    """
    path = told / CONFIG_NAME if told.is_dir() else told
    if not path.is_file():
        raise Usage(
            f"There is no cohort at `{told}`. Name the {CONFIG_NAME} of another installation, or a folder that `foretide replay "
            "--out` kept."
        )
    return load_settings(path)


def champion_of(settings: Settings, outcome: str | None) -> str:
    """The champion of that outcome, or of the only one, as a person would name it.

    Raises:
        Usage: it could be several.
    """
    if outcome not in settings.outcomes and len(settings.outcomes) > 1:
        raise Usage("Several outcomes are declared. Say which model by `--model NAME/VERSION` or `NAME@ALIAS`.")
    name = outcome if outcome in settings.outcomes else next(iter(settings.outcomes))
    return f"{model_name(str(name))}@{CHAMPION}"


def _refuse_its_own(installation: Installation, version: ModelVersion, cohort: Installation) -> None:
    saw, known_at = version.tags.get("data_version"), version.tags.get("known_at")
    if saw is None or known_at is None:
        raise Refused(
            f"`{registered.label(version)}` does not say what it was trained on, so nobody can tell whether it saw this cohort. "
            "Train a model anew."
        )
    is_same = cohort.settings.lake_folder == installation.settings.lake_folder
    if is_same or contents.version(cohort.lake, pd.Timestamp(known_at)) == saw:
        raise Refused(
            f"`{registered.label(version)}` was trained on this very cohort, whose subjects it has seen; figures there would "
            "flatter. Name another cohort; for this one the model report has figures of subjects kept apart."
        )


def _outcome(model: HazardModel, cohort: Installation, asked: str | None) -> Outcome:
    declared = {outcome.name: outcome for outcome in engineering.outcomes(cohort)}
    found = declared.get(asked or model.outcome)
    if found is None:
        raise Refused(
            f"The cohort declares no outcome `{asked or model.outcome}`. Say by `--outcome` which of its own to test on: "
            f"{', '.join(f'`{name}`' for name in declared)}."
        )
    if found.horizons_days != model.horizons_days:
        raise Refused(
            f"The model gives risks within {words.days(model.horizons_days)}, the cohort's `{found.name}` asks for "
            f"{words.days(found.horizons_days)}. Declare `horizons_days: {list(model.horizons_days)}` in the cohort's configuration."
        )
    return found


def _refuse_unknown_features(model: HazardModel, settings: Settings) -> None:
    known = settings.catalog().by_name
    unknown = [name for name in model.features if name not in known]
    if unknown:
        near = difflib.get_close_matches(unknown[0], list(known), 1)
        raise Refused(
            f"{len(unknown)} of the model's {len(model.features)} features cannot be made of this cohort, first `{unknown[0]}`"
            + (f" (nearest: `{near[0]}`)" if near else "")
            + ". Declare the `signals:` they are made of in the cohort's configuration, or train the model anew."
        )


def _differences(installation: Installation, model: HazardModel, here: Outcome) -> list[str]:
    found = []
    if here.name != model.outcome:
        found.append(
            f"The model was made for `{model.outcome}` and is tested on `{here.name}`: whether that is the same is for a "
            "clinician to say."
        )
    own = {outcome.name: outcome for outcome in engineering.outcomes(installation)}.get(model.outcome)
    others = [] if own is None else [key for key, value in vars(here).items()
                                     if key not in ("name", "horizons_days") and value != vars(own)[key]]  # fmt: skip
    if others:
        keys = ", ".join(f"`{key}`" for key in others)
        found.append(f"The cohort declares its outcome otherwise ({keys}): part of any difference is that.")
    return found


def _missing(model: HazardModel, matrix: pd.DataFrame) -> list[str]:
    empty = int(matrix[list(model.features)].isna().all().sum())
    told = f"{empty} of the model's {len(model.features)} features have no value for anybody here; it takes them as missing."
    return [told] if empty else []


def _too_few(risks: Collection[str]) -> list[str]:
    if external_validation.REFITTED in risks:
        return []
    return ["Too few subjects have an event to fit anything here: no refitted model, no simple rule to compare with."]

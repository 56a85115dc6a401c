"""Sections of the configuration: what each key means, its default, and what makes it wrong.

Numbers that decide about people (capacities, margins, limits) have their defaults here and nowhere else.
"""

import difflib
import re
from datetime import date, time
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from features.tables import ATTRIBUTE_NAME, SUBJECTS, TABLES
from models.fairness.ways import RANDOMISED, RECALIBRATION, REWEIGHING
from models.growth import Growth
from models.proof import FEWEST_REFITS

# What `replay --full` does.
FULL = {"refits": FEWEST_REFITS, "seeds": 10, "every_split": True}


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("is not an IANA time zone; write one like Europe/Berlin") from error
    return name


TimeZone = Annotated[str, AfterValidator(_zone)]
Share = Annotated[float, Field(ge=0, le=1)]


class Strict(BaseModel):
    """A section that refuses keys it does not know, and never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SimulatedSource(Strict):
    """The embedded cohort; any size by one number, the same numbers for the same seed."""

    format: Literal["simulated"]
    subjects: int = Field(300, ge=20)
    days: int = Field(270, ge=60)
    minute_days: int = Field(60, ge=0)
    until: date = date(2026, 6, 30)
    seed: int = 7


class FileSource(Strict):
    """Files that a reader understands, taken in at every run; content already taken in changes nothing."""

    format: Literal["table", "fitbit", "jang2024", "lifesnaps"]
    path: Path
    mapping: Path | None = None

    @model_validator(mode="after")
    def _table_needs_mapping(self) -> "FileSource":
        if (self.format == "table") != (self.mapping is not None):
            raise ValueError("`mapping:` goes with `format: table`, and only with it")
        return self


Source = Annotated[SimulatedSource | FileSource, Field(discriminator="format")]


class Sites(Strict):
    """Where subjects are cared for, and when their night ends."""

    default_time_zone: TimeZone = "UTC"
    time_zones: dict[str, TimeZone] = {}
    cutoff: time = time(3, 0)

    @property
    def zones(self) -> tuple[str, ...]:
        """Every time zone in use."""
        return tuple(sorted({self.default_time_zone, *self.time_zones.values()}))


class Waiver(Strict):
    """A failing expectation that is let through, with the reason on record; it ends by itself."""

    table: str
    expectation: str
    column: str = ""
    reason: str = Field(min_length=10)
    until: date

    @model_validator(mode="after")
    def _table_exists(self) -> "Waiver":
        if self.table not in TABLES:
            raise ValueError(f"`table:` must be one of {', '.join(TABLES)}")
        return self


class Door(Strict):
    """What gets into the lake, and what stops a delivery.

    `device_preference` names sources or device models; where two devices tell of one minute, the one named first
    speaks.
    """

    max_bad_share: Share = 0.05
    device_preference: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = ()


class Signal(Strict):
    """A further numeric stream of the table `signals`: its unit, the range outside of which it is implausible, and how much
    it usually varies from day to day within a person (what its own-past features rest on while a past is short)."""

    unit: str
    low: float | None = Field(None, allow_inf_nan=False)
    high: float | None = Field(None, allow_inf_nan=False)
    usual_spread: float | None = Field(None, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _range_holds_something(self) -> "Signal":
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError("`low:` must lie below `high:`")
        return self


class Consent(Strict):
    """What happens after a withdrawal; tombstones lie in a folder of their own, apart from the state."""

    folder: Path = Path(".withdrawn")
    retrain_within_days: int = Field(30, ge=1)


class FeatureChoice(Strict):
    """Features that models see beside those that are on by default, and those they do not; names of features or families
    (docs/data-dictionary.md)."""

    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class ModelSettings(Strict):
    """How the model's trees are grown, see `models.growth.Growth`; `foretide tune` proposes other values."""

    rounds: int = Field(Growth.rounds, ge=1, le=2000)
    max_depth: int = Field(Growth.max_depth, ge=1, le=10)
    learning_rate: float = Field(Growth.learning_rate, gt=0, le=1)
    min_child_weight: float = Field(Growth.min_child_weight, gt=0)
    reg_lambda: float = Field(Growth.reg_lambda, gt=0)
    subsample: float = Field(Growth.subsample, gt=0, le=1)
    colsample_bytree: float = Field(Growth.colsample_bytree, gt=0, le=1)

    def growth(self) -> Growth:
        """The same as models take it."""
        return Growth(**self.model_dump())


class MitigationSettings(Strict):
    """The mitigation that every predictor is made with (docs/mitigation.md): only reweighing needs nothing at prediction."""

    way: str
    attribute: str

    @field_validator("way")
    @classmethod
    def _may_serve(cls, way: str) -> str:
        if way in RANDOMISED:
            raise ValueError(
                f"`{way}` flags by chance and gives no risk: it is for comparison only. Declare `{REWEIGHING}`, or nothing"
            )
        if way == RECALIBRATION:
            raise ValueError(
                f"`{way}` needs the attribute at prediction, and what serves reads none of those that are audited. Declare "
                f"`{REWEIGHING}`, or nothing"
            )
        if way != REWEIGHING:
            raise ValueError(f"there is no such way to mitigate. Declare `{REWEIGHING}`, or nothing")
        return way


class Training(Strict):
    """How models are fitted and evaluated.

    `index_every_days` thins the index dates of the training matrix itself, for cohorts that would not fit into memory, and is no
    multiple of 7, which would show one weekday only;
    `train_every_days` those that models are fitted on. `refits` is on how many samples of subjects model and best rule
    are fitted again where the gain would else seem proven; with `every_split`, always and everything. 0 leaves an interval that is
    conditional on the fitted models, by which no model is served. `seeds` is how often
    the headline is cross-validated, each time with other folds and fits. `every_split` tests the same subjects later and sites
    that were not learnt from, too. `decision_thresholds` are the risks from which on acting is weighed. `mitigation` is none
    unless declared.
    """

    seed: int = 1
    resamples: int = Field(1000, ge=100)
    refits: int = FEWEST_REFITS
    seeds: int = Field(1, ge=1)
    every_split: bool = False
    folds: int = Field(5, ge=2)
    cuts: int = Field(3, ge=1)
    index_every_days: int = Field(1, ge=1)
    train_every_days: int = Field(7, ge=1)
    decision_thresholds: tuple[float, ...] = Field((0.01, 0.02, 0.05, 0.10, 0.15, 0.20), min_length=1)
    threads: int = Field(2, ge=1)
    model: ModelSettings = ModelSettings()
    mitigation: MitigationSettings | None = None

    @property
    def reweighed_by(self) -> str:
        """The attribute by which training rows are reweighed; empty where none is declared."""
        return self.mitigation.attribute if self.mitigation else ""

    @model_validator(mode="after")
    def _figures_can_be_made(self) -> "Training":
        if self.index_every_days % 7 == 0:
            raise ValueError("`index_every_days:` must be no multiple of 7, which would show models one weekday only")
        if list(self.decision_thresholds) != sorted({t for t in self.decision_thresholds if 0 < t < 1}):
            raise ValueError("`decision_thresholds:` must be risks between 0 and 1, rising")
        if self.refits and self.refits < FEWEST_REFITS:
            raise ValueError(f"`refits:` must be 0, or at least {FEWEST_REFITS}")
        return self


class AuditSettings(Strict):
    """What the fairness audit compares, and by which margin."""

    attributes: tuple[str, ...] = ("sex", "age_band", "ethnicity", "site")
    reference_groups: dict[str, str] = {}
    margin: Share = 0.1
    top_share: Share = 0.1
    resamples: int = Field(1000, ge=100)

    @model_validator(mode="after")
    def _attributes_exist(self) -> "AuditSettings":
        for name in self.attributes:
            near = difflib.get_close_matches(name, SUBJECTS.column_names, 1, cutoff=0.8)
            if name not in SUBJECTS.column_names and near:
                raise ValueError(f"attribute `{name}` is not a column of `subjects`; perhaps `{near[0]}`")
            if not re.match(ATTRIBUTE_NAME, name):
                raise ValueError(
                    f"attribute `{name}` is neither a column of `subjects` nor a name that `attributes:` of a mapping "
                    "can give: lower case letters, digits and _"
                )
        return self


class ReleasePolicy(Strict):
    """What a challenger must show before it serves; the predetermined change control plan (docs/release.md).

    `min_gain_low` is what the interval of a model's gain over the best simple rule must lie above, and
    `non_inferiority_margin` by how much less a model may rank than the champion; both are onset AUROC. An intercept of 0.7 is
    odds that are wrong by a factor of 2. From `min_group_event_subjects` in a group on, a fairness comparison that
    cannot tell holds a model back; nothing does by default. A challenger is to score beside the champion on
    `shadow_nights` whose outcomes are known; 0 asks for none and scores none.
    """

    min_gain_low: float = Field(0.0, ge=0, lt=1)
    non_inferiority_margin: float = Field(0.05, gt=0, lt=1)
    calibration_slope_low: float = 0.7
    calibration_slope_high: float = 1.4
    calibration_intercept_limit: float = Field(0.7, gt=0)
    block_on_fairness_fail: bool = True
    min_subjects: int = Field(20, ge=0)
    min_event_subjects: int = Field(10, ge=0)
    min_group_event_subjects: int | None = Field(None, ge=1)
    shadow_nights: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _limits_hold_something(self) -> "ReleasePolicy":
        if self.calibration_slope_low >= self.calibration_slope_high:
            raise ValueError("`calibration_slope_low:` must lie below `calibration_slope_high:`")
        return self

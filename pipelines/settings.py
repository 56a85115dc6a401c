"""Configuration: `foretide.yaml` and `FORETIDE_*` environment variables, validated before anything runs.

Relative paths are relative to the folder of the configuration file, which is the *home* of an installation.
Errors name the key, what is wrong with it, and the cure. What each key means stands in `sections.py`, `outcome_sections.py` and
`sink_sections.py`.
"""

import difflib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from features.errors import FeaturesError
from pipelines import settings_told
from pipelines.alert_sections import AlertPolicy
from pipelines.errors import Usage
from pipelines.night_sections import NightSettings
from pipelines.outcome_sections import OutcomeSettings
from pipelines.sections import (
    AuditSettings,
    Consent,
    Door,
    FeatureChoice,
    ReleasePolicy,
    Signal,
    Sites,
    Source,
    Training,
)
from pipelines.sink_sections import Delivery, Notices
from pipelines.watch_sections import Monitoring

if TYPE_CHECKING:
    from features.catalog import Catalog

CONFIG_NAME = "foretide.yaml"
# Read elsewhere: which configuration, how to print faults, where tests find public cohorts.
OWN_VARIABLES = ("FORETIDE_CONFIG", "FORETIDE_DEBUG", "FORETIDE_DATA_DIR")


class Settings(BaseSettings):
    """The whole configuration of an installation."""

    model_config = SettingsConfigDict(
        env_prefix="FORETIDE_", env_nested_delimiter="__", extra="forbid", frozen=True, env_ignore_empty=True
    )

    home: Path
    state: Path = Path(".state")
    sources: tuple[Source, ...] = ()
    sites: Sites = Sites()
    signals: dict[str, Signal] = {}
    features: FeatureChoice = FeatureChoice()
    door: Door = Door()
    consent: Consent = Consent()
    outcomes: dict[str, OutcomeSettings] = Field(min_length=1)
    training: Training = Training()
    audit: AuditSettings = AuditSettings()
    release_policy: ReleasePolicy = ReleasePolicy()
    alert_policy: AlertPolicy = AlertPolicy()
    delivery: Delivery = Delivery()
    night: NightSettings = NightSettings()
    monitoring: Monitoring = Monitoring()
    notices: Notices = Notices()

    @field_validator("signals")
    @classmethod
    def _names_are_free(cls, declared: dict[str, Signal]) -> dict[str, Signal]:
        if declared:
            with _features_errors_told():
                _catalog(declared)
        return declared

    @field_validator("features")
    @classmethod
    def _features_exist(cls, choice: FeatureChoice, info: ValidationInfo) -> FeatureChoice:
        if (choice.add or choice.drop) and "signals" in info.data:
            _check_names(choice, info.data["signals"])
        return choice

    @field_validator("audit")
    @classmethod
    def _mitigation_is_audited(cls, audit: AuditSettings, info: ValidationInfo) -> AuditSettings:
        by = info.data["training"].reweighed_by if "training" in info.data else ""
        if by and by not in audit.attributes:
            raise ValueError(
                "`training: mitigation: attribute:` names what is not among `attributes:`, so that nothing could tell whether it "
                "helps. Name it in both, or in neither"
            )
        return audit

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file (whose content arrives as init values)."""
        return _Environment(settings_cls), init_settings

    def path(self, relative: Path) -> Path:
        """A configured path, made absolute against the home."""
        return (self.home / relative).resolve()

    def catalog(self) -> "Catalog":
        """Every feature there is, those of the declared signals included."""
        return _catalog(self.signals)

    def features_on(self) -> tuple[str, ...]:
        """Names of the features that models see."""
        return self.catalog().chosen(self.features.add, self.features.drop)

    @property
    def alert_horizons(self) -> dict[str, int]:
        """The alert horizon of each outcome, in days."""
        return {name: declared.alert_horizon for name, declared in self.outcomes.items()}

    @property
    def state_folder(self) -> Path:
        """Everything Foretide itself writes lies here."""
        return self.path(self.state)

    @property
    def lake_folder(self) -> Path:
        """The Delta tables."""
        return self.state_folder / "lake"

    @property
    def reports_folder(self) -> Path:
        """The HTML report site."""
        return self.state_folder / "reports"

    @property
    def releases_folder(self) -> Path:
        """The ledger of reports that left, and the tokens by which it speaks of subjects."""
        return self.state_folder / "releases"

    @property
    def consent_folder(self) -> Path:
        """Tombstones of withdrawn subjects and their key, apart from what a backup of the state restores."""
        return self.path(self.consent.folder)

    @property
    def deliveries_folder(self) -> Path:
        """One folder a night."""
        return self.path(self.delivery.folder)

    @property
    def backtests_folder(self) -> Path:
        """Nights as they would have happened, which no consumer sees."""
        return self.state_folder / "backtests"

    @property
    def monitoring_folder(self) -> Path:
        """What was found while watching, night by night; counts only."""
        return self.state_folder / "monitoring"

    @property
    def notices_folder(self) -> Path:
        """Notices about the night: those to be told, and those that were."""
        return self.state_folder / "notices"

    @property
    def tracking_uri(self) -> str:
        """The MLflow store."""
        return f"sqlite:///{self.state_folder / 'mlflow' / 'mlflow.db'}"

    @property
    def artifacts_folder(self) -> Path:
        """MLflow's artifacts."""
        return self.state_folder / "mlflow" / "artifacts"


def _catalog(signals: Mapping[str, Signal]) -> "Catalog":
    # Imported late: it brings the compiler of numeric code, which most commands do not need.
    from features.catalog import STANDARD

    return STANDARD.with_signals({name: (signal.unit, signal.usual_spread) for name, signal in signals.items()})


def _check_names(choice: FeatureChoice, signals: Mapping[str, Signal]) -> None:
    catalog = _catalog(signals)
    for key, names in (("add", choice.add), ("drop", choice.drop)):
        with _features_errors_told(f"`{key}:` "):
            catalog.named(names)
    tenure = [name for name in choice.add if catalog.named([name]) & catalog.named(["tenure"])]
    if tenure:
        raise ValueError(
            f"`add:` `{tenure[0]}` is an artefact of recruitment, which baselines and controls have anyway and no model may "
            "see; leave it out"
        )
    with _features_errors_told():
        if not catalog.chosen(choice.add, choice.drop):
            raise ValueError("`drop:` leaves no feature for models to see; drop less, or `add:` what they shall see")


@contextmanager
def _features_errors_told(where: str = "") -> Iterator[None]:
    """What the features refuse, as pydantic takes it."""
    try:
        yield
    except FeaturesError as error:
        raise ValueError(f"{where}{str(error).removesuffix('.')}") from error


class _NoJson(ValueError):
    """A variable that should hold JSON and does not; its text is the variable's name."""


class _Environment(EnvSettingsSource):
    """The environment, where lists and groups of keys are JSON."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            # Of a nested key only its own name is known here.
            named = (name for name, held in os.environ.items() if held == value and name.lower().endswith(field_name))
            raise _NoJson(next(named, field_name)) from None


def config_path(given: Path | None = None) -> Path:
    """The configuration file in force: the one given, `FORETIDE_CONFIG`, or `foretide.yaml` here.

    Raises:
        Usage: there is no such file.
    """
    path = given or Path(os.environ.get("FORETIDE_CONFIG", CONFIG_NAME))
    if not path.is_file():
        raise Usage(f"There is no configuration file `{path}`. Copy the commented foretide.yaml of the project.")
    return path.resolve()


def load_settings(given: Path | None = None, overrides: dict[str, Any] | None = None) -> Settings:
    """Read and validate the configuration.

    Raises:
        Usage: no file, not YAML, an unknown key, or a value out of its range; names the key and the cure.
    """
    _refuse_unknown_environment()
    path = config_path(given)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Usage(
            f"`{path.name}` is not readable as YAML: {settings_told.first_line(error)}. Mend the line it names."
        ) from error
    if not isinstance(content, dict):
        raise Usage(f"`{path.name}` must hold keys such as `sources:` and `outcomes:` at its top level.")
    return settings_from({**content, **(overrides or {})}, path.parent, path.name)


def settings_from(content: dict[str, Any], home: Path, name: str = CONFIG_NAME) -> Settings:
    """Validate configuration content that is already a mapping; see `load_settings`."""
    try:
        return Settings(**{"home": home, **content})
    except ValidationError as error:
        raise Usage(
            f"`{name}`: " + "; ".join(settings_told.cure(item, Settings) for item in error.errors()) + "."
        ) from error
    except SettingsError as error:
        if not isinstance(error.__cause__, _NoJson):
            raise
        raise Usage(
            f"The environment variable `{error.__cause__}` holds no JSON. Write a list like "
            """'["one", "two"]', a group of keys like '{"key": 1}'."""
        ) from None


def _refuse_unknown_environment() -> None:
    """A mistyped variable would otherwise be ignored in silence."""
    known = {*OWN_VARIABLES, *(f"FORETIDE_{key.upper()}" for key in Settings.model_fields)}
    for name in sorted(os.environ):
        if name.startswith("FORETIDE_") and name.split("__")[0] not in known:
            near = difflib.get_close_matches(name.split("__")[0], known, 1)
            raise Usage(
                f"The environment variable `{name}` is not known" + (f"; perhaps `{near[0]}`." if near else ".")
            )

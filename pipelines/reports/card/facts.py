"""What a card is made of, and the shape of its sections."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from models.gate import Decision
from models.outcomes import Outcome
from models.refitting import REFITS
from models.risk import Learner
from models.splits import UNSEEN_DEVICE, UNSEEN_SITE
from pipelines.alert_sections import AlertPolicy
from pipelines.reports import words
from pipelines.reports.site import Context
from pipelines.sections import AuditSettings, ReleasePolicy, Training

# What only a person can say, and nothing is invented for.
BLANK = "☐ For a person to fill in"


@dataclass(frozen=True)
class Table:
    """A table of a card: texts only."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Section:
    """A part of a card: sentences, named facts, tables."""

    id: str
    heading: str
    lines: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """As JSON holds it, without the id, which is its key."""
        told = asdict(self)
        del told["id"]
        return told


@dataclass(frozen=True)
class Facts:
    """Everything that a card tells, gathered by `pipelines.release.card`.

    Args:
        finding: the page in one sentence, as the model report has it.
        served: the predictor that earned being served, `learner` and `features` are its own.
        split, alert_horizon: what headlines.
        rows: tidy result rows of the outcome.
        flow: of the outcome (`models.flow.flow`).
        people: of `models.characteristics`.
        controls, importance: as stored; None where the training has none.
        abstention, abstained_by_group: of `pipelines.training.abstention`.
        verdicts: of the fairness audit; `fairness_page` is the file that shows them.
        families: how many of the features are of which family.
        told: what a clinician calls each feature.
        acted_on: in sentences, how rows acted on were treated.
        is_tuned: whether a search on these very people may have chosen how the model's trees are grown.
        reweighed_by: the attribute by which training rows are reweighed; empty where no mitigation is declared.
        model_hash: of the registered files; empty where nothing was registered, as in a replay.
    """

    outcome: Outcome
    finding: str
    reason: str
    served: str
    split: str
    alert_horizon: int
    learner: Learner
    features: tuple[str, ...]
    families: Mapping[str, int]
    decision: Decision
    context: Context
    rows: pd.DataFrame
    flow: pd.DataFrame
    people: pd.DataFrame
    controls: pd.DataFrame | None
    importance: pd.DataFrame | None
    abstention: pd.DataFrame
    abstained_by_group: pd.DataFrame
    verdicts: pd.DataFrame
    fairness_page: str
    told: Mapping[str, str]
    known_at: str
    data_version: str
    model_hash: str
    training: Training
    acted_on: tuple[str, ...]
    is_tuned: bool
    reweighed_by: str
    release_policy: ReleasePolicy
    alert_policy: AlertPolicy
    audit: AuditSettings

    @property
    def title(self) -> str:
        """The card's name."""
        return f"Model card: {words.plain(self.outcome.name)}"

    @property
    def headline(self) -> pd.DataFrame:
        """Result rows of onset at the alert horizon, on the headline split."""
        rows = self.rows
        is_headline = (rows["task"] == "onset") & (rows["split"] == self.split)
        return rows[is_headline & (rows["horizon_days"] == self.alert_horizon)]

    @property
    def refits(self) -> int:
        """On how many resamples model and best rule were fitted again for the gain; 0 where its interval is conditional."""
        counted = self.headline.loc[self.headline["metric"] == REFITS, "value"]
        return 0 if counted.empty else int(counted.iloc[0])

    @property
    def left_out(self) -> list[str]:
        """What was tested by fits on the others: `site`, `device`, both or neither."""
        of = {"site": UNSEEN_SITE, "device": UNSEEN_DEVICE}
        return [name for name, split in of.items() if (self.rows["split"] == split).any()]

    @property
    def horizons(self) -> str:
        """All horizons in words."""
        return words.days(self.outcome.horizons_days)

    def counted(self, step: str, column: str) -> str:
        """Rows or subjects at a step of the flow of onset at the alert horizon, rounded."""
        flow = self.flow
        at = flow[(flow["task"] == "onset") & (flow["horizon_days"] == self.alert_horizon) & (flow["step"] == step)]
        return words.rounded(at[column].iloc[0])


def blank(what: str) -> str:
    """A marked blank, with what belongs there."""
    return f"{BLANK}: {what}."


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table of a card."""
    return Table(caption, tuple(columns), tuple(tuple(row) for row in rows))

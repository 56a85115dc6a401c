"""Small nights to bring to a sink, published for real: everybody has a row, with every kind of value there is."""

from pathlib import Path

import pandas as pd

from pipelines.delivery.contract import DeliveryContext
from pipelines.delivery.publish import Withdrawn, in_place_of, publish
from pipelines.delivery.rows import build

SUBJECTS = ("ox-1", 'o"x, {2}\\', "öx-3", "zebra-77", "ill", "away")
HORIZONS = (7, 14)


def context(night: str, content: str = "a", subjects: tuple[str, ...] = SUBJECTS, **changed) -> DeliveryContext:
    """A night with this input content."""
    given = {
        "as_of": pd.Timestamp(night).as_unit("us"), "known_at": pd.Timestamp(f"{night}T01:00:00.5Z").as_unit("us"),
        "model_versions": {"crisis": "foretide-crisis/3"}, "policy_version": "p1", "input_content": content,
        "code_version": "0.1.0", "roster_size": len(subjects),
    }  # fmt: skip
    return DeliveryContext(**{**given, **changed})


def rows(of: DeliveryContext, subjects: tuple[str, ...] = SUBJECTS) -> pd.DataFrame:
    """Its rows: somebody of each tier, one inside an episode, one not eligible."""
    keys = pd.DataFrame({"subject_id": subjects, "outcome": "crisis"})
    status = ["in_episode" if name == "ill" else "not_eligible" if name == "away" else "scored" for name in subjects]
    reasons = [("care_status_inpatient",) if name == "away" else () for name in subjects]
    seen = [None if name == "away" else of.known_at for name in subjects]
    standings = keys.assign(status=status, reason_codes=reasons, completeness=0.75, last_observation_at=seen)
    risk = [0.1 + at / 30 for at in range(len(subjects))]
    scores = [keys.assign(horizon_days=h, probability=risk, mean_risk_low=0.0, mean_risk_high=1 / 3) for h in HORIZONS]
    is_high = [name == "zebra-77" for name in subjects]
    tiers = keys.assign(
        tier=["high" if high else "baseline" for high in is_high],
        rank=range(1, len(subjects) + 1),
        alert=["new" if high else None for high in is_high],
        action=["same-day review" if high else None for high in is_high],
    )
    drivers = keys.assign(drivers=[('sleep "short", 5.1 h', "back\\slash {x,y}", "")] * len(subjects))
    return build(of, {"crisis": HORIZONS}, standings, pd.concat(scores, ignore_index=True), tiers, drivers)


def publish_night(
    root: Path, night: str, content: str = "a", subjects: tuple[str, ...] = SUBJECTS, withdrawn: Withdrawn | None = None
) -> Path:
    """Publish a night; its folder."""
    of = in_place_of(root, context(night, content, subjects))
    return publish(root, rows(of, subjects), of, *([withdrawn] if withdrawn else []))

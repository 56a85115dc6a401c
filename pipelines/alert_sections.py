"""The section `alert_policy:` of the configuration: what each key means, its default, and what makes it wrong."""

from pydantic import Field, model_validator

from pipelines.sections import Share, Strict


class TierSettings(Strict):
    """What brings somebody into a tier, and the step of care that it asks for.

    `alerts_per_100_per_week` is what a site can look at, per 100 of its scored subjects and 7 nights; `by_site` where a site
    has another capacity. No risk below `floor` raises an alert.
    """

    alerts_per_100_per_week: float = Field(gt=0, le=700, allow_inf_nan=False)
    by_site: dict[str, float] = {}
    floor: Share
    action: str = Field(min_length=1, max_length=80)

    @model_validator(mode="after")
    def _capacities_hold_something(self) -> "TierSettings":
        if not all(0 < capacity <= 700 for capacity in self.by_site.values()):
            raise ValueError("each capacity under `by_site:` must be above 0 and at most 700")
        return self


class AlertPolicy(Strict):
    """Whom a night brings to a clinician's attention (docs/alerts.md), and how complete data must be for a score.

    `reserved_for_quiet` is the share of each capacity that only subjects without an event for 28 days can have. An alert stands
    for `refractory_days`, in which it is not repeated unless the odds grow by `worsens_by` or a higher tier is reached; it ceases
    to stand when the risk falls below `holds_at` times what it lately took to get one. `waiting_action` is the step for those whom
    no tier has room for though their risk would be enough for the high one.
    """

    high: TierSettings = TierSettings(alerts_per_100_per_week=5, floor=0.08, action="same-day review")
    elevated: TierSettings = TierSettings(alerts_per_100_per_week=10, floor=0.03, action="check-in")
    baseline_action: str = Field("self-guided", min_length=1, max_length=80)
    waiting_action: str = Field("look at when there is room", min_length=1, max_length=80)
    reserved_for_quiet: Share = 0.2
    refractory_days: int = Field(14, ge=1, le=90)
    worsens_by: float = Field(2.0, gt=1, allow_inf_nan=False)
    holds_at: Share = 0.8
    min_completeness: Share = 0.25

    @model_validator(mode="after")
    def _tiers_are_in_order(self) -> "AlertPolicy":
        if self.elevated.floor > self.high.floor:
            raise ValueError("`elevated: floor:` must not lie above `high: floor:`")
        return self

    def actions(self) -> dict[str, str]:
        """The step of care of each tier."""
        return {"high": self.high.action, "elevated": self.elevated.action, "baseline": self.baseline_action}

"""The section `outcomes:` of the configuration: what counts as a crisis, a relapse or a deterioration."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipelines.sections import Share, Strict

Number = Annotated[float, Field(allow_inf_nan=False)]
ON_A_SCALE = ("in_remission_below", "rise", "reaches", "reference_days")


class _Declared(Strict):
    """What an outcome or a part of one is declared by.

    On a scale, `in_remission_below` makes it a relapse: the median of the last `reference_days` lies below, and the score does
    not. Without, it is a deterioration: a score `rise` above that median, or one that `reaches` a threshold from below it.
    """

    events: tuple[str, ...] = ()
    assessment: str | None = None
    in_remission_below: Number | None = None
    rise: float | None = Field(None, gt=0, allow_inf_nan=False)
    reaches: Number | None = None
    reference_days: int = Field(90, ge=1)
    ascertainment: Literal["registry", "self_report"] = "registry"
    min_coverage: Share = 0.0

    def refuse_incoherence(self) -> None:
        """Refuse keys that do not go together; each message names them and the cure."""
        if bool(self.events) == bool(self.assessment):
            raise ValueError("needs either `events:` or `assessment:`, not both; for any of several write `any_of:`")
        if self.events and (stray := [key for key in ON_A_SCALE if key in self.model_fields_set]):
            raise ValueError(
                f"`{stray[0]}:` says when a score counts; write `assessment:` for `events:`, or leave it out"
            )
        if self.assessment and self.rise is None and (self.in_remission_below is not None or self.reaches is None):
            raise ValueError(
                "`assessment:` needs beside it `in_remission_below:` and `rise:` for a relapse, or `rise:` or `reaches:` "
                "for a deterioration"
            )
        if self.in_remission_below is not None and self.reaches is not None:
            raise ValueError(
                "`reaches:` goes without `in_remission_below:`, which a relapse reaches by itself; leave one of them out"
            )


class OutcomePart(_Declared):
    """One of several ways in which an outcome happens."""

    @model_validator(mode="after")
    def _is_coherent(self) -> "OutcomePart":
        self.refuse_incoherence()
        return self


class OutcomeSettings(_Declared):
    """One declared outcome: event kinds, a relapse or a deterioration on a scale, or any of several such parts."""

    any_of: tuple[OutcomePart, ...] = ()
    horizons_days: tuple[int, ...] = Field(min_length=1)
    alert_horizon_days: int | None = None
    merge_within_days: int = Field(7, ge=1)
    refractory_days: int = Field(14, ge=1)

    @model_validator(mode="after")
    def _is_coherent(self) -> "OutcomeSettings":
        if self.any_of:
            self._refuse_what_belongs_in_a_part()
        else:
            self.refuse_incoherence()
        if list(self.horizons_days) != sorted(set(self.horizons_days)) or self.horizons_days[0] < 1:
            raise ValueError("`horizons_days:` must be whole days, rising")
        if self.refractory_days < self.merge_within_days:
            raise ValueError("`refractory_days:` must be at least `merge_within_days:`")
        if self.alert_horizon not in self.horizons_days:
            raise ValueError("`alert_horizon_days:` must be one of `horizons_days:`")
        return self

    def _refuse_what_belongs_in_a_part(self) -> None:
        if stray := sorted(self.model_fields_set & set(OutcomePart.model_fields)):
            raise ValueError(f"`{stray[0]}:` beside `any_of:` belongs to no part; write it in a part of `any_of:`")
        if len(self.any_of) == 1:
            raise ValueError("`any_of:` needs two parts or more; write the keys of a single one without `any_of:`")

    @property
    def alert_horizon(self) -> int:
        """The horizon that tiers, the audit and the primary metric refer to; the middle one unless declared."""
        return self.alert_horizon_days or self.horizons_days[len(self.horizons_days) // 2]

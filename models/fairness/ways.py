"""Names of the ways to mitigate a gap between groups, and what each needs to know of whom it predicts for.

Configuration reads this without what fits them (`models.fairness.mitigation`).
"""

AS_SERVED, REWEIGHING, RECALIBRATION = "as_served", "reweighing", "group_recalibration"
GRADIENT, THRESHOLDS = "exponentiated_gradient", "threshold_optimizer"
WAYS = (AS_SERVED, REWEIGHING, RECALIBRATION, GRADIENT, THRESHOLDS)
# They flag by chance and give no risk: for comparison only.
RANDOMISED = (GRADIENT, THRESHOLDS)
NEEDS = {
    AS_SERVED: "nothing",
    REWEIGHING: "nothing",
    RECALIBRATION: "the attribute",
    GRADIENT: "chance",
    THRESHOLDS: "the attribute and chance",
}

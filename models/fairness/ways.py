"""Names of the ways to mitigate a gap between groups, and what each needs to know of whom it predicts for.

Configuration reads this without what fits them (`models.fairness.mitigation`).
"""

UNMITIGATED, REWEIGHING, RECALIBRATION = "unmitigated", "reweighing", "group_recalibration"
GRADIENT, THRESHOLDS = "exponentiated_gradient", "threshold_optimizer"
WAYS = (UNMITIGATED, REWEIGHING, RECALIBRATION, GRADIENT, THRESHOLDS)
# They flag by chance and give no risk: for comparison only.
RANDOMISED = (GRADIENT, THRESHOLDS)
NEEDS = {
    UNMITIGATED: "nothing",
    REWEIGHING: "nothing",
    RECALIBRATION: "the attribute",
    GRADIENT: "chance",
    THRESHOLDS: "the attribute and chance",
}

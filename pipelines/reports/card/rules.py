"""By which rules a model serves and may change, how fair it was found, whether its figures can be relied on."""

from models.baselines import called
from models.fairness.verdicts import FAIL, INSUFFICIENT, PASS
from models.proof import FEWEST_REFITS
from pipelines.reports import controls as control_words
from pipelines.reports import words
from pipelines.reports.card.facts import BLANK, Facts, Section, table
from pipelines.sections import ReleasePolicy


def serving(facts: Facts) -> Section:
    """What serves, and every rule for and against it."""
    rules = [(rule.name, "kept" if rule.is_kept else "NOT KEPT", rule.told) for rule in facts.decision.rules]
    return Section(
        "serving",
        "What serves, and why",
        (facts.reason, *(facts.context.overrides or ("No override is in force.",))),
        tables=(table("The release policy, rule by rule.", ("Rule", "Kept", "Figure"), rules),),
    )


def fairness(facts: Facts) -> Section:
    """How many comparisons passed, failed, or could not tell."""
    names = {PASS: "within the margin", FAIL: "a gap", INSUFFICIENT: "insufficient evidence"}
    counts = facts.verdicts.groupby(["is_crossed", "verdict"]).size()
    rows = [
        (label, *(words.count(counts.get((is_crossed, verdict), 0)) for verdict in names))
        for is_crossed, label in ((False, "one attribute"), (True, "two attributes crossed"))
    ]
    return Section(
        "fairness",
        "Whom it serves better or worse",
        (
            f"Declared: {', '.join(words.plain(name) for name in facts.audit.attributes)}; margin {facts.audit.margin:g}, at the "
            f"top {words.percent(facts.audit.top_share)} of a night.",
            words.mitigated(facts.reweighed_by)
            if facts.reweighed_by
            else "No mitigation is declared; what ways to mitigate would gain and cost, `foretide mitigate` tells.",
            "Insufficient evidence is no pass: the cohort is too small to tell.",
            f"Every comparison is in {facts.fairness_page}.",
        ),
        tables=(table("Comparisons of groups.", ("Groups by", *names.values()), rows),),
    )


def controls(facts: Facts) -> Section:
    """Every control of the training."""
    if facts.controls is None:
        return Section("controls", "Controls", ("None were run on this training, so its figures are unchecked.",))
    found = control_words.section(facts.controls, facts.outcome.name)
    rows = [(line["asked"], line["result"], line["figure"], line["told"]) for line in found["lines"]]
    columns = ("Control", "Result", "Figure", "What was found")
    return Section("controls", "Controls", (found["finding"],), tables=(table("Every control.", columns, rows),))


def change(facts: Facts) -> Section:
    """The predetermined change control plan: what a retraining may change, and within which limits."""
    policy = facts.release_policy
    limits = [
        ("controls", "all of its training were run, none failed"),
        ("estimable controls", "each said something; of a simple rule, those that compute again"),
        ("data", f"{policy.min_subjects} subjects tested or more, {policy.min_event_subjects} of them with an event"),
        ("gain", f"a model's over the best simple rule, in AUROC, proven above {policy.min_gain_low:g} by an interval from at least "
         f"{FEWEST_REFITS} refits; else the rule is to serve"),
        ("tuning", "a model's trees were not chosen by a search on these people"),
        ("champion", f"a model is proven to rank by less than {policy.non_inferiority_margin:g} AUROC below the one that serves; of a "
         "simple rule, the one that serves is not proven better"),
        ("calibration slope", f"not proven to lie outside {policy.calibration_slope_low:g} to {policy.calibration_slope_high:g}"),
        ("calibration intercept", f"not proven to be further from 0 than {policy.calibration_intercept_limit:g}"),
        ("fairness", _fair(policy)),
        *_shadowed(policy),
    ]  # fmt: skip
    return Section(
        "change",
        "How it may change",
        (
            "This is the predetermined change control plan, declared in the configuration; its hash is the policy version.",
            "May change by itself, with a training: the data up to its night, hence weights, trees and calibration; and which "
            "of the declared predictors serves.",
            "Changes only by the configuration: outcome, horizons, features that are on, mitigation, this policy.",
            "A new version serves if every rule below is kept. A person may override any but a failed control, by name and with "
            "a reason, which every report and delivery then shows; `foretide rollback` takes a version back.",
        ),
        tables=(table("What a new version must show.", ("Rule", "Limit"), limits),),
    )


def _fair(policy: ReleasePolicy) -> str:
    told = (
        "no comparison of groups fails" if policy.block_on_fairness_fail else "failures are told, and hold nothing back"
    )
    least = policy.min_group_event_subjects
    if least is None:
        return f"{told}; insufficient evidence is told, and holds nothing back"
    return f"{told}; of a model, none is without an answer in a group of {least} or more subjects with an event"


def _shadowed(policy: ReleasePolicy) -> list[tuple[str, str]]:
    nights = policy.shadow_nights
    if not nights:
        return []
    return [
        (
            "shadow nights",
            f"{nights} or more beside the one that serves, with outcomes that are known; none where nothing serves",
        )
    ]


def versions(facts: Facts) -> Section:
    """What exactly this card is about."""
    context = facts.context
    return Section(
        "versions",
        "Versions",
        (),
        {
            "Model": context.model_version or "not registered",
            "Model files (sha256)": facts.model_hash or "not registered",
            "Predictor": called(facts.served),
            "Mitigation": f"reweighing by {words.plain(facts.reweighed_by)}" if facts.reweighed_by else "none",
            "Code": context.code_version,
            "Policy": context.policy_version,
            "Data": facts.data_version,
            "Seed": str(facts.training.seed),
            "Who answers for it": BLANK,
        },
    )

"""What a model is for and not for, what it predicts, from what, how, and its limits."""

from models.linear import RIDGE
from models.outcomes import Part
from pipelines.reports import tuning, words
from pipelines.reports.card.facts import BLANK, Facts, Section, blank, table

LEARNERS = {
    "logistic": "a ridge regression of each interval's hazard on the log-odds scale, of standardised features "
    f"(penalty {RIDGE:g}); a missing feature has a weight of its own",
    "boosted_trees": "gradient-boosted trees (XGBoost) that correct a ridge regression on the history features; a missing value takes "
    "a branch of its own",
}
SOURCES = (
    "Collins GS, Moons KGM, Dhiman P, et al. TRIPOD+AI statement: updated guidance for reporting clinical prediction models "
    "that use regression or machine learning methods. BMJ 2024;385:e078378.",
    "Moons KGM, Damen JAA, Kaul T, et al. PROBAST+AI: an updated quality, risk of bias, and applicability assessment tool for "
    "prediction models using regression or artificial intelligence methods. BMJ 2025;388:e082505.",
)


def use(facts: Facts) -> Section:
    """What it is for, and not for."""
    outcome, policy = words.plain(facts.outcome.name), facts.alert_policy
    return Section(
        "use",
        "What it is for, and not for",
        (
            f"For: each night and each subject on the roster, the risk that a new episode ({outcome}) begins within "
            f"{facts.horizons}, so that clinicians can decide whom to look at first.",
            "It augments clinicians and never decides alone: nothing is done, refused or ended because of a score only.",
            "Not for: a diagnosis; a choice of treatment; an emergency, for it is made once a night; people who did not consent; "
            "restraint, insurance, employment or policing.",
            "Not for another site, device or population before it was tested there (`foretide validate`).",
            f"Tiers are capacity, not danger: a site gets at most {policy.high.alerts_per_100_per_week:g} high and "
            f"{policy.elevated.alerts_per_100_per_week:g} elevated alerts per 100 of its scored subjects and week.",
            "A subject without a score is not at low risk: each has a row that says why there is none.",
            blank("who acts on a score, how, and how soon"),
        ),
    )


def outcome(facts: Facts) -> Section:
    """The outcome's definition, key by key."""
    of = facts.outcome
    what = _happening(of)
    if of.any_of:
        told = [", ".join(f"{key}: {value}" for key, value in _happening(part).items()) for part in of.any_of]
        what = {f"Any of, {number}": text for number, text in enumerate(told, start=1)}
    return Section(
        "outcome",
        "What it predicts",
        ("The start of a new episode. Dates within an episode or its refractory time have no label and get no score.",),
        {
            **what,
            "Horizons": facts.horizons,
            "Horizon of tiers, gate and headline": words.counted(facts.alert_horizon, "day"),
            "Events are one episode if closer than": words.counted(of.merge_within_days, "day"),
            "Refractory time after it": words.counted(of.refractory_days, "day"),
            "Competing": "death and admission: who dies or is admitted first has no event",
            "Why this outcome, and how it was assessed": BLANK,
        },
    )


def _happening(part: Part) -> dict[str, str]:
    """One way in which the outcome happens, and how one knows that it did not."""
    coverage = f"on at least {words.percent(part.min_coverage)} of the horizon's days"
    known = "How absence of an event is known"
    if not part.assessment:
        how = "a registry sees everyone" if part.ascertainment == "registry" else f"by own reports, {coverage}"
        return {"Events": ", ".join(part.events), known: how}
    limits = {"In remission below": part.in_remission_below, "Rise": part.rise, "Reaches": part.reaches}
    return {
        "Kind": "deterioration" if part.in_remission_below is None else "relapse",
        "Scale": part.assessment,
        **{key: f"{value:g}" for key, value in limits.items() if value is not None},
        "Reference": f"median of the last {words.counted(part.reference_days, 'day')}",
        known: f"by an assessment within the horizon{', ' + coverage if part.min_coverage else ''}",
    }


def predictors(facts: Facts) -> Section:
    """How many features, of which families."""
    families = [(words.plain(name), str(count)) for name, count in facts.families.items()]
    return Section(
        "predictors",
        "What it sees",
        (
            f"Features: {len(facts.features)}, of complete local days before the index date, as received by its cutoff.",
            "Sex, age, ethnicity and whatever else is declared for the audit are not among them.",
        ),
        tables=(table("Features by family.", ("Family", "Features"), families),) if families else (),
    )


def learner(facts: Facts) -> Section:
    """The predictor that serves, and how it was fitted."""
    how = facts.training
    return Section(
        "learner",
        "How it was made",
        (
            f"{words.predictor(facts.served)}: {LEARNERS[facts.learner]}.",
            "Trees are grown as `training: model:` declares; a training tunes nothing.",
            *((tuning.warning(facts.outcome.name),) if facts.is_tuned else ()),
            *((words.mitigated(facts.reweighed_by),) if facts.reweighed_by else ()),
            "One discrete-time hazard over the intervals between horizons, so that a risk never falls as the horizon grows.",
            "Fitted on every subject, one day in "
            f"{how.train_every_days} of each; figures come from fits on other subjects than those tested.",
        ),
        {
            "Folds of subjects": str(how.folds), "Cuts in time": str(how.cuts), "Seed": str(how.seed),
            "Seeds tried": str(how.seeds), "Refits on resampled subjects": str(facts.refits),
            "Resamples for intervals": str(how.resamples),
        },
    )  # fmt: skip


def limits(facts: Facts) -> Section:
    """What is not known."""
    tested = facts.headline
    n = words.rounded(tested["n_subjects"].max()) if len(tested) else words.DASH
    return Section(
        "limits",
        "Limits",
        (
            f"All figures come from subjects the model had not seen, of this cohort ({n} at the headline). How it does elsewhere "
            "is not known from them.",
            "A baseline that uses episode history flags people whom clinicians already know. A gain over it is what sensors add.",
            "The risk given is the risk under the care that was given; who was helped in time does not count as an event.",
            "Censored dates are left out, as if those followed up were like those who were not. Death ends follow-up.",
            "The interval of a risk is of the mean risk with such features, by refits on resampled subjects; not an individual's.",
            "What a clinician knows that no stream holds is not in a score.",
        ),
    )


def sources(facts: Facts) -> Section:
    """The instruments that the last two tables follow."""
    return Section("sources", "Sources", SOURCES)

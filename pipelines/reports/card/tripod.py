"""TRIPOD+AI as far as software can fill it in: 27 items in our own words, and what only a person can say left blank.

Items and their numbers: Collins GS et al., BMJ 2024;385:e078378. The instrument's own wording is what counts.
"""

from typing import NamedTuple

from pipelines.reports import words
from pipelines.reports.card.facts import Facts, Section, blank, table


class Item(NamedTuple):
    """An item: what it asks, what software answers (with facts in braces), and what a person must add."""

    number: str
    asked: str
    answer: str = ""
    left: str = ""


# fmt: off
ITEMS = (
    Item("1", "Title: kind of study, population, outcome",
         "Development and internal evaluation of a prediction of {outcome} within {horizons}, "
         "on {dataset}.", "population in words"),
    Item("2", "Abstract", left="write it from this card"),
    Item("3a", "Healthcare context, why a model, earlier models",
         "Prognostic: what begins after the night's cutoff.", "context, reasons, earlier models"),
    Item("3b", "Target population, purpose in care, users",
         "Section “What it is for, and not for”.", "place in the care pathway, users"),
    Item("3c", "Known health inequalities", left="known inequalities between groups"),
    Item("4", "Objectives",
         "Development with internal evaluation; external evaluation only by `foretide "
         "validate`.", "the study's own objectives"),
    Item("5a", "Sources of data, why these, whom they represent",
         "Formats: {dataset}; development and evaluation from one cohort, "
         "subjects kept apart.", "why these data, representativeness"),
    Item("5b", "Dates: accrual, end of follow-up", "As of {as_of}; known at {known_at}.", "begin and end of accrual"),
    Item("6a", "Setting, number and place of centres", left="setting and centres"),
    Item("6b", "Eligibility",
         "Index dates from the day after enrolment while consent lasts, not within an episode or "
         "its refractory time.", "who could enrol"),
    Item("6c", "Treatments", "Section “From index dates to labelled rows”: {acted_on}", "treatments received"),
    Item("7", "Preparation and quality checks, alike across groups?",
         "One door for all rows: units, ranges, keys, plausibility; data page of the night. The same rules for every "
         "group."),
    Item("8a", "Outcome, horizon, assessment, why",
         "Section “What it predicts”.", "why this outcome; assessed alike across groups?"),
    Item("8b", "Who assessed a subjective outcome", left="assessors, if any"),
    Item("8c", "Blinding of outcome assessment", left="whether assessors saw scores"),
    Item("9a", "Choice of initial predictors",
         "{n_features} features, on by declaration before this training read a label."),
    Item("9b", "Definition and timing of predictors",
         "Data dictionary; complete local days before the index date as received by its cutoff."),
    Item("9c", "Who assessed subjective predictors", left="raters, if any"),
    Item("10", "Sample size",
         "{n_subjects} subjects, {n_events} with an event; `foretide plan` tells what can "
         "be proven.", "how the size came about"),
    Item("11", "Missing data",
         "Kept missing and told to the model as such; a feature below its least data is missing. Dates not followed "
         "up have no label."),
    Item("12a", "How data were used, partitions",
         "Headline: {split}; {folds} folds of subjects, {cuts} cuts in time; training rows end before tests begin."),
    Item("12b", "Handling of predictors",
         "Regression: arcsinh, standardised within training rows; trees: as they are."),
    Item("12c", "Type of model, steps, tuning, internal validation",
         "Section “How it was made”; trees are grown as declared; {tuned}.", "why this type"),
    Item("12d", "Heterogeneity across clusters", "{sites}"),
    Item("12e", "Measures and plots",
         "Discrimination, calibration, alerts, net benefit, each with intervals: model report."),
    Item("12f", "Updating after evaluation", "None."),
    Item("12g", "How predictions were calculated", "By the code of this version ({code})."),
    Item("13", "Class imbalance", "No method was used; risks are calibrated to the rate observed."),
    Item("14", "Fairness: approaches and why",
         "Audit by declared attributes and pairs of them, verdicts with "
         "margins; it can hold a model back. Mitigation: {mitigation}.", "why these attributes and this margin"),
    Item("15", "Output, thresholds and why",
         "Risk within {horizons}, 0 to 1; tiers by capacity, alerts per 100 subjects and week: {high} high, {elevated} "
         "elevated.", "why this capacity"),
    Item("16", "Differences between development and evaluation data",
         "None in setting, outcome or predictors; subjects differ."),
    Item("17", "Ethics approval and consent",
         "Subjects whose consent ended are not scored.", "approval, kind of consent"),
    Item("18a", "Funding", left="funders and their part"),
    Item("18b", "Conflicts of interest", left="of all authors"),
    Item("18c", "Protocol", "Declared in the configuration; policy {policy}.", "a protocol, or that there is none"),
    Item("18d", "Registration", left="register and number, or that there is none"),
    Item("18e", "Data sharing", left="availability of data"),
    Item("18f", "Code sharing", "Code {code}.", "where it can be had"),
    Item("19", "Patient and public involvement", left="involvement, or that there was none"),
    Item("20a", "Flow of participants, with and without outcome, follow-up",
         "Sections “Who is in it” and “From index dates to labelled rows”; diagram in the model report."),
    Item("20b", "Characteristics, by setting too", "Table 1.", "treatments received"),
    Item("20c", "Development against evaluation data", "One cohort; does not apply before `foretide validate`."),
    Item("21", "Participants and events in each analysis",
         "{n_subjects} subjects, {n_events} with an event; at the headline {n_tested} tested, {n_episodes} episodes."),
    Item("22", "The full model, access and restrictions",
         "Model files (sha256 {model}) in the registry; data, not code.", "terms of access"),
    Item("23a", "Performance with intervals, subgroups too",
         "Sections “How well it ranks” and “Whether its risks are right”; subgroups: {fairness}."),
    Item("23b", "Heterogeneity of performance across clusters", "{sites}"),
    Item("24", "Results of updating", "None was made."),
    Item("25", "Interpretation, with fairness and earlier studies",
         "{finding}", "interpretation against earlier studies"),
    Item("26", "Limitations", "Section “Limits”.", "limits of this cohort"),
    Item("27a", "Poor or missing input when used",
         "Below {completeness} of the last 28 days with data there is a row with a status and no score."),
    Item("27b", "What users must do, with what expertise",
         "Nothing by hand: nightly from the streams.", "expertise of those who act on scores"),
    Item("27c", "Next steps, applicability elsewhere",
         "`foretide validate` on another cohort before use there.", "planned research"),
)
# fmt: on
COLUMNS = ("Item", "Asked", "Filled in by software", "For a person")


def section(facts: Facts) -> Section:
    """The table, and how much of it is left to a person."""
    known = _known(facts)
    rows = [(of.number, of.asked, of.answer.format(**known), blank(of.left) if of.left else "") for of in ITEMS]
    left = sum(bool(of.left) for of in ITEMS)
    alone = sum(not of.answer for of in ITEMS)
    return Section(
        "tripod_ai",
        "TRIPOD+AI, item by item",
        (
            f"{len(ITEMS)} parts of 27 items, in our own words: {len(ITEMS) - left} are filled in, {left - alone} in part, "
            f"{alone} only a person can. The published checklist is what counts.",
        ),
        tables=(table("TRIPOD+AI (Collins 2024).", COLUMNS, rows),),
    )


def _known(facts: Facts) -> dict[str, str]:
    everybody, tested = facts.people.iloc[0], facts.headline
    return {
        "outcome": words.plain(facts.outcome.name),
        "horizons": facts.horizons,
        "dataset": facts.context.dataset,
        "as_of": facts.context.as_of.isoformat(),
        "known_at": facts.known_at,
        "n_features": str(len(facts.features)),
        "n_subjects": words.rounded(everybody["n_subjects"]),
        "n_events": words.rounded(everybody["n_event_subjects"]),
        "n_tested": words.rounded(tested["n_subjects"].max()) if len(tested) else words.DASH,
        "n_episodes": words.rounded(tested["n_episodes"].max()) if len(tested) else words.DASH,
        "split": words.SPLITS.get(facts.split, facts.split),
        "folds": str(facts.training.folds),
        "cuts": str(facts.training.cuts),
        "sites": f"Each {' and each '.join(facts.left_out)} tested by fits on the others: model report." if facts.left_out else
        "Not examined in this training (`every_split`, with several sites or devices).",
        "tuned": "a search on these people was made before, and what is declared is not the default: figures are no test of it"
        if facts.is_tuned else "no search on these people chose them",
        "mitigation": f"training rows reweighed by {words.plain(facts.reweighed_by)}" if facts.reweighed_by else "none",
        "code": facts.context.code_version,
        "policy": facts.context.policy_version,
        "model": facts.model_hash or "not registered",
        "high": f"{facts.alert_policy.high.alerts_per_100_per_week:g}",
        "elevated": f"{facts.alert_policy.elevated.alerts_per_100_per_week:g}",
        "completeness": words.percent(facts.alert_policy.min_completeness),
        "fairness": facts.fairness_page,
        "finding": facts.finding,
        "acted_on": facts.acted_on[0],
    }  # fmt: skip

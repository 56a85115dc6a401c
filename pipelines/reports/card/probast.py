"""PROBAST+AI as far as software can answer: its two parts and four domains, questions in our own words, the judgement blank.

Parts and domains: Moons KGM et al., BMJ 2025;388:e082505, which has 16 questions on development and 18 on evaluation. Ours
are those that a training itself bears witness to, without the instrument's numbers; a person rates each domain.
"""

from models.evaluation import FEWEST_EVENT_SUBJECTS
from models.splits import UNSEEN_AND_LATER
from pipelines.reports import words
from pipelines.reports.card.facts import BLANK, Facts, Section, table
from pipelines.training.controls import DECLARED, RECOMPUTED, REFITTED

DEVELOPMENT, EVALUATION = "development: quality", "evaluation: risk of bias"
PEOPLE, PREDICTORS, OUTCOME, ANALYSIS = "participants and data sources", "predictors", "outcome", "analysis"
YES, NO, UNKNOWN = "yes", "no", "no information"
COLUMNS = ("Part", "Domain", "Question", "Answer", "Why")
Answer = tuple[str, str, str, str, str]


def section(facts: Facts) -> Section:
    """Answers with their reasons, and a blank judgement for each domain."""
    answers = [*_people(facts), *_predictors(facts), *_outcome(facts), *_development(facts), *_evaluation(facts)]
    judgements = [
        (part, domain, BLANK, "not rated" if domain == ANALYSIS else BLANK)
        for part in (DEVELOPMENT, EVALUATION)
        for domain in (PEOPLE, PREDICTORS, OUTCOME, ANALYSIS)
    ]
    return Section(
        "probast_ai",
        "PROBAST+AI, domain by domain",
        (
            "What this training itself bears witness to, in our own words; the published tool has 16 questions on development and 18 "
            "on evaluation, and it is what counts. Concern and applicability are a person's to rate.",
        ),
        tables=(
            table("Questions that software can answer.", COLUMNS, answers),
            table("Ratings.", ("Part", "Domain", "Concern or risk of bias", "Applicability"), judgements),
        ),
    )


def _people(facts: Facts) -> list[Answer]:
    index = "eligibility follows from enrolment, consent and follow-up, never from the outcome"
    return [
        (DEVELOPMENT, PEOPLE, "Do the data suit the question and the people it is about?", UNKNOWN, BLANK),
        (DEVELOPMENT, PEOPLE, "Were people taken in and left out without regard to the outcome?", YES, index),
        (EVALUATION, PEOPLE, "Were those tested kept apart from those learnt from?", YES, words.SPLITS.get(facts.split, facts.split)),
    ]  # fmt: skip


def _predictors(facts: Facts) -> list[Answer]:
    return [
        (DEVELOPMENT, PREDICTORS, "Are all predictors defined alike for everybody?", *_control(facts, DECLARED)),
        (DEVELOPMENT, PREDICTORS, "Were all of them known at the moment of prediction?", *_control(facts, RECOMPUTED)),
        (EVALUATION, PREDICTORS, "Were they made without knowledge of the outcome?", *_control(facts, RECOMPUTED)),
    ]


def _control(facts: Facts, name: str) -> tuple[str, str]:
    """What a control says of a question."""
    rows = facts.controls
    rows = None if rows is None else rows[(rows["outcome"] == facts.outcome.name) & (rows["control"] == name)]
    if rows is None or rows.empty:
        return UNKNOWN, "no such control was run"
    if rows["is_passed"].eq(True).all():
        return (UNKNOWN if rows["figure"].isna().any() else YES), str(rows["told"].iloc[0])
    return NO, str(rows["told"].iloc[0])


def _outcome(facts: Facts) -> list[Answer]:
    alike = "one declared definition for everybody; whether it is recorded as well in every group is not known"
    return [
        (DEVELOPMENT, OUTCOME, "Was the outcome defined beforehand?", UNKNOWN,
         f"declared before this training; what earlier ones showed is not known here. {BLANK}"),
        (DEVELOPMENT, OUTCOME, "Is it defined and found out alike for everybody?", UNKNOWN, f"{alike}. {BLANK}"),
        (EVALUATION, OUTCOME, "Are predictors no part of the outcome?", UNKNOWN, f"history before the cutoff is used. {BLANK}"),
        (EVALUATION, OUTCOME, "Is the time between prediction and outcome right?", YES, f"{facts.horizons} from the cutoff on"),
    ]  # fmt: skip


def _development(facts: Facts) -> list[Answer]:
    n = int(facts.people["n_event_subjects"].iloc[0])
    return [
        (DEVELOPMENT, ANALYSIS, "Were there enough people with the outcome?", NO if n < FEWEST_EVENT_SUBJECTS else UNKNOWN,
         f"{words.rounded(n)} event subjects; `foretide plan` tells what they can prove"),
        (DEVELOPMENT, ANALYSIS, "Were missing values handled suitably?", YES, "kept missing, and seen by the model as such"),
        (DEVELOPMENT, ANALYSIS, "Were predictors chosen without being fitted to the outcome?", YES,
         "on by declaration, before this training read a label"),
        (DEVELOPMENT, ANALYSIS, "Was overfitting accounted for?", YES, "shrinkage; calibration by cross-fitting over subjects"),
        (DEVELOPMENT, ANALYSIS, "Was class imbalance handled without harm to calibration?", *_weighed(facts)),
    ]  # fmt: skip


def _weighed(facts: Facts) -> tuple[str, str]:
    """Whether training rows count alike."""
    if not facts.reweighed_by:
        return YES, "nothing was resampled or weighted"
    by = words.plain(facts.reweighed_by)
    return (
        UNKNOWN,
        f"rows are reweighed by {by}, not by class; whether that harms calibration, the calibration by {by} tells. {BLANK}",
    )


def _evaluation(facts: Facts) -> list[Answer]:
    later = facts.split == UNSEEN_AND_LATER
    return [
        (EVALUATION, ANALYSIS, "Could nothing of the test rows get into a fit?", *_control(facts, REFITTED)),
        (EVALUATION, ANALYSIS, "Were tests later in time, too?", YES if later else NO, words.SPLITS.get(facts.split, facts.split)),
        (EVALUATION, ANALYSIS, "Were discrimination, calibration and usefulness all measured?", YES, "model report"),
        (EVALUATION, ANALYSIS, "Do intervals respect that a person has many rows?", YES, "whole subjects are resampled"),
        (EVALUATION, ANALYSIS, "Does the gain's interval hold what refitting adds?", YES if facts.refits else NO,
         f"{facts.refits} refits"),
        (EVALUATION, ANALYSIS, "Were censoring and competing events handled suitably?", UNKNOWN,
         "horizons not followed up are left out whatever happened; who died or was admitted first had no event; the gain with "
         f"inverse-probability-of-censoring weights stands in the model report where anybody was lost. {BLANK}"),
        (EVALUATION, ANALYSIS, "Was it tested in groups of people?", YES, facts.fairness_page),
        (EVALUATION, ANALYSIS, "Was it tested on a cohort from elsewhere?", UNKNOWN, "not by a training; see `foretide validate`"),
    ]  # fmt: skip

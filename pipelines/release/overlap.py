"""Whether a cohort that a model is tried on holds people it has seen, as far as pseudonyms and facts can tell."""

from collections.abc import Sequence

import pandas as pd
from scipy import stats

from pipelines.cohort import Cohort
from pipelines.errors import Refused
from pipelines.lake import Lake

SUBJECT = "subject_id"
# What is told of one person in the same words by every sender who tells it at all.
FACTS = {"events": ("occurred_at", "kind"), "subjects": ("enrolled_on", "sex", "age_band")}
# So unlikely that as many pseudonyms would carry equal facts if they had been given at random.
BY_CHANCE = 0.001


def in_both(seen: Lake, seen_at: pd.Timestamp, tested: Lake, cohort: Cohort) -> str:
    """What can be told of persons in both cohorts: whether pseudonyms are the same, and that this proves nothing.

    Args:
        seen, seen_at: where the model learnt, and what was known there.
        tested, cohort: the other cohort's lake, and who was known there.

    Raises:
        Refused: pseudonyms in both carry equal facts, which makes them the same persons.
    """
    before, here = (_facts(lake, at, "subjects", ()) for lake, at in ((seen, seen_at), (tested, cohort.known_at)))
    again = len(before.merge(here, on=SUBJECT))
    if not again:
        return "No pseudonym occurs in both cohorts. Whether a person does cannot be known: senders give pseudonyms of their own."
    alike = {
        table: _alike(_facts(seen, seen_at, table, names), _facts(tested, cohort.known_at, table, names), names)
        for table, names in FACTS.items()
    }
    if any(stats.poisson.sf(n - 1, expected) < BY_CHANCE for n, expected in alike.values()):
        raise Refused(
            f"{again} of {len(here)} pseudonyms occur in the model's cohort too, {alike['events'][0]} of them with an equal event "
            f"and {alike['subjects'][0]} with an equal enrolment, more than chance gives: they are persons whom the model has "
            "seen, and figures would flatter. Take them out of the cohort's sources and ingest it anew, or name one of other people."
        )
    return (
        f"{again} of {len(here)} pseudonyms occur in the model's cohort too. If they are the same persons, these figures "
        "flatter; if each sender counts from 1, they say nothing. Ask the senders."
    )


def _facts(lake: Lake, known_at: pd.Timestamp, table: str, names: Sequence[str]) -> pd.DataFrame:
    known = lake.history(table, known_at, lake.connection())
    return known.project(", ".join((SUBJECT, *names))).distinct().df()


def _alike(before: pd.DataFrame, here: pd.DataFrame, names: Sequence[str]) -> tuple[int, float]:
    """How many pseudonyms in both carry an equal fact, and how many would if they had been given at random."""
    equal = before.merge(here, on=[SUBJECT, *names])
    both = _sizes(before, names).merge(_sizes(here, names), on=list(names))
    people, others = set(before[SUBJECT]), set(here[SUBJECT])
    again = len(people & others)
    pairs = len(people) * len(others) - again
    of_others = int((both["n_x"] * both["n_y"]).sum()) - len(equal)
    return equal[SUBJECT].nunique(), again * of_others / pairs if pairs else 0.0


def _sizes(facts: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    return facts.groupby(list(names), dropna=False).size().reset_index(name="n")

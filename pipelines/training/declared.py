"""Whether what an outcome is declared by was ever told of: kinds of events, or an assessment's instrument."""

from models.outcomes import Outcome
from pipelines import cohort as cohorts
from pipelines.cohort import Cohort
from pipelines.errors import Refused
from pipelines.lake import Lake

# Kinds that a refusal names, most frequent first.
NAMED = 12


def refuse_what_no_stream_gives(lake: Lake, known: Cohort, outcome: Outcome) -> None:
    """Refuse an outcome of which the lake holds no row: it is misspelt, or was never ingested; more data cure neither.

    Raises:
        Refused: none of the declared kinds or instruments is among those known on the night.
    """
    table, column = ("assessments", "instrument") if outcome.assessment else ("events", "kind")
    asked = {outcome.assessment} if outcome.assessment else set(outcome.events)
    there = cohorts.in_force(cohorts.dated(lake, known, table), known.as_of)[column].value_counts()
    if asked & set(there.index):
        return
    counted = ", ".join(f"`{name}` ({count})" for name, count in there.head(NAMED).items())
    holds = f"holds other ones: {counted}" if len(there) else "is empty"
    named = ", ".join(f"`{name}`" for name in sorted(map(str, asked)))
    raise Refused(
        f"No stream gives the outcome `{outcome.name}`: it is declared by {named}, and column `{column}` of `{table}`, as known "
        f"that night, {holds}. Declare what there is under `outcomes:`, recode `{column}` in the mapping, or ingest the missing "
        "source."
    )

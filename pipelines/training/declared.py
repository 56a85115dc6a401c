"""Whether what an outcome is declared by was ever told of: kinds of events, or an assessment's instrument."""

from models.outcomes import Outcome, Part
from pipelines import cohort as cohorts
from pipelines.cohort import Cohort
from pipelines.errors import Refused
from pipelines.lake import Lake

# Kinds that a refusal names, most frequent first.
NAMED = 12


def refuse_what_no_stream_gives(lake: Lake, known: Cohort, outcome: Outcome) -> None:
    """Refuse an outcome with a part of which the lake holds no row: it is misspelt, or was never ingested.

    More data cure neither, and of a combination the other parts would pass for all of it.

    Raises:
        Refused: none of a part's declared kinds, or not its instrument, is among those known on the night.
    """
    for number, part in enumerate(outcome.parts, start=1):
        name = f"part {number} of the outcome `{outcome.name}`" if outcome.any_of else f"the outcome `{outcome.name}`"
        _refuse_an_unknown_part(lake, known, part, name)


def _refuse_an_unknown_part(lake: Lake, known: Cohort, part: Part, name: str) -> None:
    column = "instrument" if part.assessment else "kind"
    asked = {part.assessment} if part.assessment else set(part.events)
    there = cohorts.in_force(cohorts.dated(lake, known, part.table), known.as_of)[column].value_counts()
    if asked & set(there.index):
        return
    counted = ", ".join(f"`{name}` ({count})" for name, count in there.head(NAMED).items())
    holds = f"holds other ones: {counted}" if len(there) else "is empty"
    named = ", ".join(f"`{name}`" for name in sorted(map(str, asked)))
    raise Refused(
        f"No stream gives {name}: it is declared by {named}, and column `{column}` of `{part.table}`, as known that night, "
        f"{holds}. Declare what there is under `outcomes:`, recode `{column}` in the mapping, or ingest the missing source."
    )

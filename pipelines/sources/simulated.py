"""The embedded default source: a simulated cohort of any size, the same for the same numbers.

Nobody in it is real. How people, courses and streams are made is in `simulation/` and `docs/simulated-cohort.md`;
this module only cuts the cohort into batches. The truth (`true_hazard`) never enters a batch.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.errors import Usage
from pipelines.sources.batch import Batch
from pipelines.sources.simulation import answers, minutes, nights, registry
from pipelines.sources.simulation.course import STAGE_NAMES, true_risks
from pipelines.sources.simulation.rows import Group, Index, group, subject_ids, text

# Most rows of one batch, and so the memory a batch takes.
MINUTES_PER_BATCH = 1_000_000
ANSWERS_PER_BATCH = 1_500_000
MOST_SUBJECTS_PER_BATCH = 512


@dataclass(frozen=True)
class SimulatedCohort:
    """How many subjects over how many civil days up to and including `until`, and for how many of them minutes.

    The snapshot is taken early on the day after `until`: rows that would be received later are absent, and the
    first night that can use all of `until` is that day's.
    """

    subjects: int = 300
    days: int = 270
    minute_days: int = 60
    seed: int = 7
    until: date = date(2026, 6, 30)

    def __post_init__(self) -> None:
        if self.subjects < 1 or self.days < 14 or self.minute_days < 0 or self.seed < 0:
            raise Usage(
                "The simulated cohort needs `subjects:` of at least 1, `days:` of at least 14, and `minute_days:` and "
                "`seed:` of at least 0."
            )


def read(cohort: SimulatedCohort) -> Iterator[Batch]:
    """All rows of the cohort in canonical columns, subjects first, minutes last and in batches of whole subjects.

    Rows that were sent again later (corrections, deletions, repeats) come in a batch of their own, whose file name
    ends in `again`. Dirty rows are in the first sendings; see `simulation/dirt.py` for their shares.
    """
    by_answers = _numbers(cohort, ANSWERS_PER_BATCH // (9 * cohort.days))
    for numbers in by_answers:
        yield from _batches("subjects", numbers, registry.subjects(_group(cohort, numbers)))
    minute_days = min(cohort.minute_days, cohort.days)
    for numbers in by_answers:
        yield from _small_tables(_group(cohort, numbers), numbers, cohort.days - minute_days)
    if minute_days:
        for numbers in _numbers(cohort, MINUTES_PER_BATCH // (minute_days * minutes.MINUTES)):
            yield from _batches("wearable", numbers, minutes.wearable(_group(cohort, numbers), minute_days))


def _small_tables(g: Group, numbers: Index, summary_days: int) -> Iterator[Batch]:
    yield from _batches("care_status", numbers, registry.care_status(g))
    yield from _batches("events", numbers, registry.events(g))
    yield from _batches("assessments", numbers, answers.assessments(g))
    yield from _batches("mood", numbers, answers.mood(g))
    yield from _batches("sleep", numbers, nights.sleep(g))
    yield from _batches("wearable_days", numbers, nights.wearable_days(g, summary_days))


def content_hash(cohort: SimulatedCohort) -> str:
    """Stands for the content of every batch: changes with the cohort's numbers and with the code that makes it."""
    digest = hashlib.sha256(repr(sorted(asdict(cohort).items())).encode())
    here = Path(__file__)
    for path in (here, *sorted((here.parent / "simulation").glob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def true_hazard(cohort: SimulatedCohort, horizons_days: tuple[int, ...] = (7, 14, 28)) -> pd.DataFrame:
    """The truth behind the cohort, for evaluation only: one row per subject and index date in follow-up.

    Columns: `subject_id, index_date, state` (at the cutoff), `hazard` (chance of an onset on that risk day),
    `risk_<H>d` (chance of one within H days), `susceptibility, warning_strength`. Chances are given the hidden stage
    and are missing during an episode, and count onsets whether or not they reach the registry.
    """
    parts = [_truth(_group(cohort, numbers), horizons_days) for numbers in _numbers(cohort, MOST_SUBJECTS_PER_BATCH)]
    return pd.concat(parts, ignore_index=True)


def _truth(g: Group, horizons_days: tuple[int, ...]) -> pd.DataFrame:
    risks = true_risks(g.who, g.clock.first, g.life.state, (1, *horizons_days))
    ends = np.where(g.life.deceased < 0, g.clock.days, g.life.deceased)[:, None]
    day = np.arange(g.clock.days)[None, :]
    subject, at = np.nonzero((day >= g.life.enrolled[:, None]) & (day < ends))
    return pd.DataFrame(
        {
            "subject_id": text(subject_ids(g.who.numbers), subject),
            "index_date": g.clock.dates[at],
            "state": text(STAGE_NAMES, g.life.state[subject, at].astype(np.int64)),
            "hazard": risks[1][subject, at].astype(np.float64),
            **{f"risk_{horizon}d": risks[horizon][subject, at].astype(np.float64) for horizon in horizons_days},
            "susceptibility": g.who.susceptibility[subject].astype(np.float64),
            "warning_strength": g.who.warning_strength[subject].astype(np.float64),
        }
    )


def _group(cohort: SimulatedCohort, numbers: Index) -> Group:
    return group(cohort.seed, cohort.until, cohort.days, numbers)


def _numbers(cohort: SimulatedCohort, at_most: int) -> list[Index]:
    """The subjects' numbers, cut into runs of at most so many."""
    size = min(max(at_most, 1), MOST_SUBJECTS_PER_BATCH)
    everyone = np.arange(1, cohort.subjects + 1, dtype=np.int64)
    return [everyone[start : start + size] for start in range(0, len(everyone), size)]


def _batches(table: str, numbers: Index, sent: tuple[pd.DataFrame, pd.DataFrame]) -> Iterator[Batch]:
    """The first sending and, where there is one, what was sent again."""
    name = f"simulated/{table}-{numbers[0]:06d}-{numbers[-1]:06d}"
    for rows, suffix in zip(sent, ("", "-again"), strict=True):
        if len(rows):
            yield Batch(table, rows, name + suffix)

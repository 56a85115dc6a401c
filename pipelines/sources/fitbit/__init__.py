"""The account export of Fitbit and Google Takeout, as its owner gets it, and research releases with its files.

What is read, of any number of people at once; every other file (profiles, names, places) is left out unread:

| file | becomes |
|---|---|
| `steps-*.json`, `heart_rate-*.json` | `wearable`, a row a minute; samples of no confidence are dropped, the others averaged |
| `sleep-*.json`, logs with stages and classic ones | `sleep`; `logId` is the `record_id` |
| `resting_heart_rate-*.json`, `time_in_heart_rate_zones-*.json`, `exercise-*.json`, `sleep_score.csv` | `wearable_days` |

The same names without a date (`sleep.json`, as PMData has them) are read alike.

**Times have no zone in these files.** What is relied upon, from what people found who compared exports with their days,
for Fitbit documents none of it: minutes of steps, samples of heart rate and starts of exercise are UTC; sleep logs,
daily values and sleep scores (in spite of the `Z` they are written with) are on the wall clock of the wearer. Their
zone is the site's default of the configuration; the zone in the profile is not read, for the names beside it. After
travel, days of minutes and hours of sleep are off by the difference; the wall clock of sleep is not.

**Who.** A person is called what the operator called the folder or zip that holds their files, which is the pseudonym
(see `people.py`). **Enrolled on** the first civil day with any row, of whichever export, unless another source enrolled
the subject.

**Received.** When the command says; else, for a past cohort, at the end of the local day that a row tells of (for
sleep, of awakening), the earliest time at which a complete day can be known.
"""

from pipelines.sources.fitbit.clock import SOURCE
from pipelines.sources.fitbit.reader import Enrolment, read

__all__ = ["SOURCE", "Enrolment", "read"]

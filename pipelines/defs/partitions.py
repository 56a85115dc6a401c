"""One partition per night: the as-of date of everything downstream of the raw tables."""

from dagster import DailyPartitionsDefinition

# Early enough for any cohort; `end_offset` makes tonight a partition before the day is over, and east of UTC+3 before it begins
# by UTC.
nights = DailyPartitionsDefinition(start_date="2015-01-01", end_offset=2)

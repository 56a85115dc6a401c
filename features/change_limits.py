"""How large a step in a subject's own level must be to come from a device, a unit or a clock, and not from the subject.

docs/plausibility.md says how each is used; `features.flags` looks for them.
"""

# A device or algorithm is new to a subject if it did not speak for so many days: people alternate between two.
NEW_AFTER_DAYS = 28
# Levels are compared over so many days with data: medians of fewer move by chance, more would come too late.
LEVEL_DAYS_BEFORE, LEVEL_DAYS_AFTER = 14, 4
# What units are mistaken for one another by: lb/kg, s/min or min/h, g/kg and s/ms, s/h, h/day, mile/km.
UNIT_FACTORS = (2.2046, 60.0, 1000.0, 3600.0, 24.0, 1.609)
# A ratio of levels this near to a factor (or within the subject's own spread of it, both as logarithms), and this many
# robust deviations from what is usual, is no change of habit.
UNIT_FACTOR_TOLERANCE, UNIT_FEWEST_DEVIATIONS = 0.12, 6.0
# A person's own spread is never taken to be less than this share of the level: constant values have none.
LEVEL_LEAST_SPREAD = 0.02
# An algorithm that moves sleep by this much is told of; half of the smallest shift worth knowing would be noise.
SLEEP_SHIFT_MIN, SLEEP_SHIFT_DEVIATIONS = 15.0, 2.5
SLEEP_DAYS_BEFORE, SLEEP_DAYS_AFTER = 28, 14
# A daily rhythm that moves by so many hours from one day to the next, and stays, comes from the clock.
CLOCK_SHIFT_H, CLOCK_DAYS_BEFORE, CLOCK_DAYS_AFTER = 3, 7, 3
# How much better the moved rhythm must fit than the unmoved one (correlation of hourly steps).
CLOCK_FIT_GAIN = 0.35

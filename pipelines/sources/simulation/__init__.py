"""The simulated cohort, from the inside out: people, their hidden course, their daily rhythms, and what is seen of it.

Every number here is invented and documented in `docs/simulated-cohort.md`. No real person's data took part.
"""

"""The best that any model could do on the simulated cohort, given what a night's day panel held: a Bayes filter.

Kept apart from what makes the cohort: it reads the simulator's numbers and the night's panel, never a hidden state.
`evidence` says what a reading means, `forward` goes through the days, `risks` is what others call.

Nothing compiled is kept on disk: numba would not notice that a number of the simulator changed, and go on with the old one.
"""

"""Questionnaires whose total score has a known range; of any other only that of the table `assessments` is.

PHQ: Kroenke 2001 and 2009; GAD-7: Spitzer 2006; ISI: Bastien 2001; CES-D: Radloff 1977 (20 items from 0 to 3); STAI: one form,
state or trait, 20 items from 1 to 4 (Spielberger 1970).
"""

# Instrument -> lowest and highest total score.
INSTRUMENTS: dict[str, tuple[float, float]] = {
    "phq_9": (0, 27),
    "phq_8": (0, 24),
    "gad_7": (0, 21),
    "isi": (0, 28),
    "ces_d": (0, 60),
    "stai": (20, 80),
    "stai_x1": (20, 80),
}

"""One night's scores as a health system receives them: rows, files, manifest, publishing and verification.

Grain everywhere: subject_id x as_of_date x outcome x horizon_days. Nothing here computes a risk or reads the lake.
"""

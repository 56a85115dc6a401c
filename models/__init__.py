"""Outcomes, risk models and their honest evaluation. Pure: matrices in, results out."""

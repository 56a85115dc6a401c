"""Dagster definitions in the order of the data's journey: ingest, engineer, train, audit, score."""

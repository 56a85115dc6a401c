"""Everything that touches the world: files, the lake, Dagster, MLflow, deliveries, reports, commands."""

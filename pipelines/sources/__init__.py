"""Readers: one module per source format, each an iterator of canonical batches."""

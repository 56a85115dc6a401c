"""Keeping identities out: what identifies a person, the gate that refuses it, and help for those who send data."""

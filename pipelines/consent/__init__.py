"""Consent withdrawn: tombstones that outlive a backup, erasure from every place within reach, and its proof.

A tombstone is written before anything is erased, so that whatever is cut off is finished by the next command.
"""

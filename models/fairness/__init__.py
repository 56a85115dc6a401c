"""Whom the model serves better or worse: groups, metrics with subject intervals, verdicts, disclosure control.

`audit.audit` is the way in. Nothing here chooses a mitigation or writes a file.
"""

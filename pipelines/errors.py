"""Errors that a person meets at the command line, one class per exit code."""


class ForetideError(Exception):
    """Base of every error that Foretide raises on purpose; its text is the whole message to the person."""

    exit_code = 3


class Refused(ForetideError):
    """Data or policy forbids it: nothing was changed. Exit code 1."""

    exit_code = 1


class Usage(ForetideError):
    """The command, its options or the configuration are off. Exit code 2."""

    exit_code = 2


class Stopped(KeyboardInterrupt):
    """The process was asked to end; its text says what is kept of what was done. Exit code 130."""


class Fault(ForetideError):
    """Something of ours or of the machine broke. Exit code 3."""

    exit_code = 3

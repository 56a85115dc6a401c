"""What a command says of what went wrong, whatever that is."""

import errno
import sqlite3

import pytest

from pipelines.cli import answer


def in_a_circle(*errors: BaseException) -> BaseException:
    """Errors that came from one another, the first from the last."""
    for error, cause in zip(errors, (*errors[1:], errors[0]), strict=True):
        error.__context__ = cause
    return errors[0]


@pytest.mark.parametrize("n", [1, 2, 5])
def test_errors_that_came_from_one_another_are_told_once(n, capsys):
    """Raised again within their own handlers they make a circle; the command still ends, as a fault of which only the type is said."""
    assert answer.exit_with("score", in_a_circle(*(AttributeError("sentinel") for _ in range(n))), as_json=True) == 3
    told = capsys.readouterr().out
    assert "AttributeError" in told
    assert "sentinel" not in told


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (OSError(errno.ENOSPC, "x"), "The disk is full. Nothing is half-written"),
        (sqlite3.OperationalError("disk I/O error"), "The disk is full, or fails. Nothing is half-written"),
        (OSError(errno.EROFS, "x"), "The disk is full, or fails. Nothing is half-written"),
        (OSError(errno.EIO, "x"), "The disk is full, or fails. Nothing is half-written"),
    ],
)
def test_a_full_disk_is_found_among_what_an_error_came_from(cause, words, capsys):
    """Whoever wraps it, the cure is said; where it may be a disk that fails, that is said too."""
    assert answer.exit_with("score", in_a_circle(RuntimeError("a"), ValueError("b"), cause), as_json=True) == 3
    assert words in capsys.readouterr().out

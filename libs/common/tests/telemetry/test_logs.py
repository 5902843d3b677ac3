"""What a log line says of an error: what it was and where, and nothing of whom it was about."""

import sys
from typing import Any

from flotilla.problems import NotFoundError
from flotilla.telemetry.logs import _told

JANE = "jane@example.org"


def told_of(error: BaseException) -> list[dict[str, Any]]:
    try:
        raise error
    except type(error):
        return _told(sys.exc_info())


def chained(first: Exception, second: Exception) -> list[dict[str, Any]]:
    try:
        try:
            raise first
        except type(first) as cause:
            raise second from cause
    except type(second):
        return _told(sys.exc_info())


def test_the_words_of_others_errors_are_left_out_and_ours_are_kept() -> None:
    (theirs,) = told_of(KeyError(JANE))
    (ours,) = told_of(NotFoundError("There is no such contact."))
    assert (theirs["exc_type"], theirs["exc_value"]) == ("KeyError", "")
    assert (ours["exc_type"], ours["exc_value"]) == ("NotFoundError", "There is no such contact.")


def test_it_says_where_and_holds_no_values() -> None:
    (error,) = told_of(ValueError(JANE))
    frame = error["frames"][-1]
    assert (frame["name"], frame["filename"]) == ("told_of", __file__)
    assert set(frame) == {"filename", "lineno", "name"}
    assert JANE not in str(error)


def test_what_it_came_of_is_told_too_and_that_has_an_end() -> None:
    assert [each["exc_type"] for each in chained(KeyError(JANE), ValueError(JANE))] == [
        "ValueError",
        "KeyError",
    ]
    circle = ValueError(JANE)
    circle.__cause__ = circle
    assert len(told_of(circle)) == 8

"""The HTTP edge, alike in every service: routes, problems, pages, ETags, idempotency."""

from flotilla.http.deeds import note_change
from flotilla.http.etags import check_if_match, is_known, set_etag
from flotilla.http.pages import Cursor, Page, PageQuery
from flotilla.http.routes import Routes
from flotilla.http.work import CurrentApp, Tx, Who, Work
from flotilla.problems import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    Problem,
    UnavailableError,
    UnprocessableError,
)

__all__ = [
    "ConflictError",
    "CurrentApp",
    "Cursor",
    "ForbiddenError",
    "NotFoundError",
    "Page",
    "PageQuery",
    "Problem",
    "Routes",
    "Tx",
    "UnavailableError",
    "UnprocessableError",
    "Who",
    "Work",
    "check_if_match",
    "is_known",
    "note_change",
    "set_etag",
]

"""Nothing outside is awaited while a Postgres transaction is open: the guard that clients run under.

A vendor, a model, a document store or a cache that is slow would hold locks and one of few connections.
Every client of such a thing calls `forbid_in_transaction` first; `Transaction` sets the mark.
"""

from contextvars import ContextVar, Token

_open_transaction: ContextVar[bool] = ContextVar("open_transaction", default=False)


class OutsideCallInTransactionError(RuntimeError):
    """A programming error: move the call to `prepare`, before `begin`, or into a job."""


def forbid_in_transaction(what: str) -> None:
    """Raise where a transaction is open in this task."""
    if _open_transaction.get():
        raise OutsideCallInTransactionError(f"{what} may not be awaited in a transaction")


def mark_transaction() -> Token[bool]:
    """Called when a transaction opens."""
    return _open_transaction.set(True)


def unmark_transaction(token: Token[bool]) -> None:
    """Called when it ends."""
    _open_transaction.reset(token)

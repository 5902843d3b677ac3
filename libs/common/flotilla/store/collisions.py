"""Two transactions that wait for each other's rows: who gives way, and that nothing of it is lost.

Postgres looks for such a circle after a second (`deadlock_timeout`) and ends whichever of its transactions looked.
People wait for their requests; nobody waits for a timer or for the end of a job, which therefore wait for a lock less
than that, give way, and are done again. Whoever is ended all the same has been rolled back whole: lanes do the same
batch again (`INFRASTRUCTURE_ERRORS`), requests their transaction (`flotilla.http.repeating`).
"""

from typing import Final

import asyncpg

COLLISIONS: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)
"""Nobody is to blame and nothing is kept: the same transaction again finds the way free, sooner or later."""

GIVES_WAY: Final = "set_config('lock_timeout', '500ms', true)"
"""A column for the first statement of a transaction that gives way: from the next one on. No round trip of its own."""

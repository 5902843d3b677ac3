"""Tables without row-level security that hold more than hashes, ids and times: each was read and has a reason.

A table of hashes, ids and times alone needs only its comment, `COMMENT ON TABLE x IS 'exempt: <why>'`.
"""

from typing import Final

REVIEWED: Final[dict[tuple[str, str], str]] = {}
"""(service, table) → why its other columns may be seen without a tenant."""

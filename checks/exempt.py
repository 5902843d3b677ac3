"""Tables without row-level security that hold more than hashes, ids and times: each was read and has a reason.

A table of hashes, ids and times alone needs only its comment, `COMMENT ON TABLE x IS 'exempt: <why>'`.
"""

from typing import Final

REVIEWED: Final[dict[tuple[str, str], str]] = {
    ("auth", "credentials"): "the Argon2id hash of a password; who it belongs to is told by ids only",
    ("auth", "key_sets"): "the count of changes of the platform's own keys",
    ("auth", "sign_in_attempts"): "the count of wrong passwords under a keyed hash of an address",
}
"""(service, table) → why its other columns may be seen without a tenant."""

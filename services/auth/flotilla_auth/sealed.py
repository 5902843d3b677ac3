"""What auth keeps sealed under the master keys, and hashed with keys that are derived of the derivation keys."""

from typing import Final

from flotilla.security.keyed_hashes import HashedColumn
from flotilla.security.sealed_columns import SealedColumn

from flotilla_auth import avatars

SEALED: Final = (
    SealedColumn("signing_keys", "sealed_private_key", ("id",), lambda row: bytes(row["id"].bytes)),
    SealedColumn(
        "totp_factors", "sealed_secret", ("user_id",), lambda row: b"totp:" + bytes(row["user_id"].bytes)
    ),
    SealedColumn("passkeys", "sealed_name", ("id",), lambda row: b"passkey:" + bytes(row["id"].bytes)),
    SealedColumn(
        "avatars",
        "sealed_picture",
        ("organization_id", "user_id"),
        lambda row: avatars.place(row["organization_id"], row["user_id"]),
    ),
)

HASHED: Final = (
    HashedColumn("credentials", "email_hash", "addresses: auth makes them anew, wait", needed=True),
    HashedColumn("identities", "subject_hash", "accounts elsewhere that are to be linked again"),
    HashedColumn(
        "recovery_codes", "code_hash", "recovery codes that no longer work: their owners make others"
    ),
)

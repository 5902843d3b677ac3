"""What auth keeps sealed under the master keys."""

from typing import Final

from flotilla.security.sealed_columns import SealedColumn

SEALED: Final = (
    SealedColumn("signing_keys", "sealed_private_key", ("id",), lambda row: bytes(row["id"].bytes)),
    SealedColumn(
        "totp_factors", "sealed_secret", ("user_id",), lambda row: b"totp:" + bytes(row["user_id"].bytes)
    ),
    SealedColumn("passkeys", "sealed_name", ("id",), lambda row: b"passkey:" + bytes(row["id"].bytes)),
)

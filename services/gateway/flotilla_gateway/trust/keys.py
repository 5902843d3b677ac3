"""The public keys of access tokens, by `kid`; several are good while one takes over from another."""

import time
from collections.abc import Sequence

from flotilla.events.auth import PublicKey
from joserfc.jwk import OKPKey


class KeySet:
    """Keys as auth last told them."""

    def __init__(self, keys: Sequence[PublicKey] = ()) -> None:
        self._keys: dict[str, tuple[OKPKey, float]] = {}
        self.replace(keys)

    def replace(self, keys: Sequence[PublicKey]) -> None:
        """These and no others."""
        self._keys = {
            key.kid: (
                OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": key.x, "kid": key.kid}),
                key.not_after.timestamp(),
            )
            for key in keys
        }

    def find(self, kid: object) -> OKPKey | None:
        """The key of that id, while tokens that it signed may be good."""
        found = self._keys.get(kid) if isinstance(kid, str) else None
        return found[0] if found is not None and found[1] > time.time() else None

    def __len__(self) -> int:
        return len(self._keys)

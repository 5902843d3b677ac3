"""What was read and may differ from the rule of tables; each line says why. A new one needs a review.

A table of hashes, ids, times and counts alone needs only its comment, `COMMENT ON TABLE x IS 'exempt: <why>'`.
"""

from typing import Final

COLUMNS: Final[dict[tuple[str, str, str], str]] = {
    ("analytics", "cursors", "name"): "names of the service's own folds",
    ("analytics", "ledger", "event_type"): "names of contracts, which are published",
    ("analytics", "unsealed", "event_type"): "names of contracts, which are published",
    ("automation", "bound_types", "type"): "names of contracts, which are published",
    ("automation", "wanted_types", "type"): "names of contracts; the lane is bound for all organizations",
    ("auth", "credentials", "password_hash"): "Argon2id",
    ("auth", "email_tokens", "purpose"): "one of two words",
    ("auth", "identities", "issuer"): "of those that people may sign in with, which are published",
    ("auth", "identities", "provider"): "its name, which is published",
    ("auth", "invitation_tokens", "mailed"): "whether it went by mail; asked by its hash",
    ("auth", "oidc_flows", "provider"): "its name, which is published",
    ("auth", "passkey_challenges", "purpose"): "one of five words",
    ("auth", "passkeys", "backed_up"): "whether; of a key that is asked for by its id",
    ("auth", "passkeys", "sign_count"): "how often an authenticator has signed",
    ("auth", "passkeys", "transports"): "names of ways to reach an authenticator, which are published",
    ("auth", "pending_sign_ins", "enrols"): "whether a second factor is to be added",
    ("auth", "pending_sign_ins", "method"): "by which first factor; names of methods and providers",
    ("auth", "totp_factors", "last_step"): "a time",
    ("auth", "sign_in_attempts", "failures"): "how many, since the last success",
    ("crm", "region_checks", "had_one"): "whether a contact had another number before; asked by its id",
    ("gateway", "api_keys", "requests_per_hour"): "how many, asked by its hash",
    ("gateway", "api_keys", "revoked"): "whether a key is good, asked by its hash",
    ("gateway", "api_keys", "role"): "its maker's, one of six words",
    ("gateway", "api_keys", "scopes"): "names of permissions",
    ("gateway", "entitlements", "enabled"): "what a plan allows, and plans are published",
    ("gateway", "entitlements", "feature"): "names of features of plans, which are published",
    ("gateway", "entitlements", "usage_limit"): "of a plan or a contract; the gateway asks by organization",
    ("gateway", "entitlements", "used_up"): "whether; not how much",
    ("gateway", "key_sets", "keys"): "public keys of the platform, published to all",
    ("gateway", "roles", "grants"): "names of permissions, of roles by their ids",
    ("gateway", "memberships", "role"): "one of six words; the gateway asks by organization and person",
    ("gateway", "memberships", "state"): "one of two words",
    ("gateway", "organization_states", "allowed_origins"): "told to every browser that asks from one of them",
    ("gateway", "organization_states", "state"): "one of three words",
    ("integrations", "bd_offers", "kind"): "one of two words",
    ("integrations", "bd_offers", "network"): "the name of a connector",
    ("integrations", "bd_offers", "title"): "written by the seller for every organization to read",
    ("integrations", "bd_offers", "price_minor"): "of an offer to every organization",
    ("integrations", "bd_offers", "currency"): "of an offer to every organization",
    ("integrations", "bd_offers", "rent_days"): "of an offer to every organization",
    ("integrations", "bd_offers", "daily_limit"): "of an offer to every organization",
    ("integrations", "bd_offers", "state"): "one of six words",
    ("integrations", "partner_bound_types", "type"): "names of contracts, which are published",
    (
        "integrations",
        "partner_wants",
        "pattern",
    ): "names of contracts; the lane is bound for all organizations",
    ("messaging", "body_sweep", "one"): "the key of a table of one row",
}
"""(service, table, column) → why it may be seen without a tenant."""

SEARCHED: Final[dict[tuple[str, str], str]] = {
    ("analytics", "search_documents"): "find_documents refuses an organization that is not the transaction's",
    ("crm", "contacts"): "search_contacts refuses an organization that is not the transaction's",
}
"""(service, table) → why its owner, and only it, may read all rows: for a SECURITY DEFINER search, because row-level
security keeps the planner from the trigram index."""

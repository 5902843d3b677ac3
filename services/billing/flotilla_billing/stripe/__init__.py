"""Stripe, behind the same domain: checkouts, metered usage, and what its webhooks tell."""

"""What an organization owes Flotilla, and what its customers owe it.

billing owns plans (plans.toml), each organization's subscription, its entitlements and the usage counted against
them; and the invoices that the organization sends its own customers, with numbers that have no gaps, their PDF and
their payments. Stripe is behind the same domain: without its keys everything works locally, with payments noted by
hand.
"""

"""Accounts that business development writes from (INT-12): limits, warm-up, who writes from them, and a market.

Such an account is a connected account of any channel. On the market one organization's is sold or rented to another:

    offer:    open ──▶ reserved ──▶ handed ──▶ sold
                ▲          │           │  └───▶ rented ──▶ open
                └──────────┴───────────┘
    purchase: buying ──▶ handing ──▶ handed ──▶ done ──▶ released
                 └──────────┴───────────┴─────▶ failed

The saga of a purchase: reserve (release) → payment (refund) → hand over (revoke) → assign. A hand-over connects the
vendor with the buyer's account; the seller keeps the credentials, unused, until it is sure. What the seller's side has
to do follows from the offer's state, in a job of the seller's organization: neither sees the other's rows.
"""

"""Whether a business is who it says it is.

kyb owns counterparties (name, country, VAT number, LEI, registry number), the checks of them against public
registers (VIES, GLEIF) with every raw answer kept as evidence, the snapshots and alerts that come of checks, and the
schedule by which they are repeated. A register that does not answer makes a counterparty unverified, never invalid,
and hides nothing of what another said.
"""

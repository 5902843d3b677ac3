"""The turns of registers; a table without tenants."""

from typing import Final

# The next turn is taken where it is not too far off: the seconds until then, or no row.
TAKE: Final = """
INSERT INTO paces (id, next_at) VALUES ($1, now() + $2::interval)
ON CONFLICT (id) DO UPDATE SET next_at = greatest(paces.next_at, now()) + $2::interval
WHERE paces.next_at < now() + $3::interval
RETURNING extract(epoch FROM next_at - $2::interval - now())::float8"""

REST: Final = """
INSERT INTO paces (id, next_at) VALUES ($1, now() + $2::interval)
ON CONFLICT (id) DO UPDATE SET next_at = greatest(paces.next_at, excluded.next_at)"""

"""Copies of who is who: contacts behind identities, members of organizations."""

from typing import Final

# Newer state wins; a late update never brings back an older one.
KEEP_IDENTITIES: Final = """
INSERT INTO identities (organization_id, id, contact_id, name, sequence)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[])
ON CONFLICT (organization_id, id) DO UPDATE
SET contact_id = excluded.contact_id, name = excluded.name, sequence = excluded.sequence
WHERE identities.sequence < excluded.sequence"""

KEEP_MEMBERS: Final = """
INSERT INTO members (organization_id, id, role, state, sequence)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bigint[])
ON CONFLICT (organization_id, id) DO UPDATE
SET role = excluded.role, state = excluded.state, sequence = excluded.sequence
WHERE members.sequence < excluded.sequence"""

ROLE_OF_ACTIVE: Final = "SELECT role FROM members WHERE organization_id = $1 AND id = $2 AND state = 'active'"

HELD_BY: Final = """
SELECT c.organization_id, c.id FROM unnest($1::uuid[], $2::uuid[]) AS t (org, member)
JOIN conversations c ON c.organization_id = t.org AND c.assignee_id = t.member AND c.state <> 'resolved'"""

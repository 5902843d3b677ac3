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

ROLES_OF_ACTIVE: Final = """
SELECT m.organization_id, m.id, m.role FROM unnest($1::uuid[], $2::uuid[]) AS t (org, id)
JOIN members m ON m.organization_id = t.org AND m.id = t.id WHERE m.state = 'active'"""

# By sequence: an opt-out that was lifted later stays lifted, whatever comes late.
KEEP_OPT_OUTS: Final = """
INSERT INTO opt_outs (organization_id, contact_id, sequence)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[])
ON CONFLICT (organization_id, contact_id) DO UPDATE SET sequence = excluded.sequence
WHERE opt_outs.sequence < excluded.sequence"""

OPTED_OUT: Final = """
SELECT t.org, t.request FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS t (org, request, contact)
JOIN opt_outs o ON o.organization_id = t.org AND o.contact_id = t.contact"""

# The conversation in which a contact wrote or was written to last.
CONTACT: Final = "contact"
"""What wishes wait for that name one without a conversation."""

NEWEST_OF: Final = """
SELECT t.org, t.contact, newest.id FROM unnest($1::uuid[], $2::uuid[]) AS t (org, contact)
CROSS JOIN LATERAL (
    SELECT c.id FROM identities i
    JOIN conversations c ON c.organization_id = i.organization_id AND c.identity_id = i.id
    WHERE i.organization_id = t.org AND i.contact_id = t.contact
    ORDER BY c.last_message_at DESC, c.id DESC LIMIT 1) AS newest"""

HELD_BY: Final = """
SELECT c.organization_id, c.id FROM unnest($1::uuid[], $2::uuid[]) AS t (org, member)
JOIN conversations c ON c.organization_id = t.org AND c.assignee_id = t.member AND c.state <> 'resolved'"""

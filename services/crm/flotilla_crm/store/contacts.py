"""Contacts and companies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_crm.domain.contacts import ASSIGNABLE_ROLES, Company, Contact
from flotilla_crm.domain.normal import folded

CONTACT_COLUMNS: Final = (
    "id, sequence, name, email, phone, language, company_id, owner_id, tags, source, custom_fields, created_at,"
    " updated_at"
)
COMPANY_COLUMNS: Final = "id, sequence, name, domain, owner_id, tags, custom_fields, created_at, updated_at"

INSERT_CONTACT: Final = f"""
INSERT INTO contacts (organization_id, id, name, search_name, email, phone, language, company_id, owner_id, tags,
                      source, custom_fields)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING {CONTACT_COLUMNS}"""  # noqa: S608

UPDATE_CONTACT: Final = f"""
UPDATE contacts SET sequence = sequence + 1, updated_at = now(), name = $3, search_name = $4, email = $5,
                    phone = $6, language = $7, company_id = $8, owner_id = $9, tags = $10, custom_fields = $11
WHERE organization_id = $1 AND id = $2 RETURNING {CONTACT_COLUMNS}"""  # noqa: S608

READ_CONTACT: Final = f"SELECT {CONTACT_COLUMNS} FROM contacts WHERE organization_id = $1 AND id = $2"  # noqa: S608

IDENTITIES: Final = """
SELECT id AS identity_id, channel, account_id, address, name, created_at FROM channel_identities
WHERE organization_id = $1 AND contact_id = $2 ORDER BY created_at, id LIMIT 100"""

SEARCH_CONTACTS: Final = f"""
SELECT {", ".join(f"c.{column}" for column in CONTACT_COLUMNS.split(", "))}, found.rank::float8 AS rank
FROM search_contacts($1, $2, $3, $4, $5, $6, $7::float8::real, $8, $9) AS found
JOIN contacts c ON c.organization_id = $1 AND c.id = found.id
ORDER BY found.rank, c.id"""  # noqa: S608

INSERT_COMPANY: Final = f"""
INSERT INTO companies (organization_id, id, name, domain, owner_id, tags, custom_fields)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {COMPANY_COLUMNS}"""  # noqa: S608

UPDATE_COMPANY: Final = f"""
UPDATE companies SET sequence = sequence + 1, updated_at = now(), name = $3, domain = $4, owner_id = $5, tags = $6,
                     custom_fields = $7
WHERE organization_id = $1 AND id = $2 RETURNING {COMPANY_COLUMNS}"""  # noqa: S608

READ_COMPANY: Final = f"SELECT {COMPANY_COLUMNS} FROM companies WHERE organization_id = $1 AND id = $2"  # noqa: S608

# A domain that is taken is found out here, not by a failed insert, which would end the transaction; the lock keeps
# two requests for the same domain apart.
LOCK_DOMAIN: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text || ' ' || $2::text, 0))"
COMPANY_WITH_DOMAIN: Final = "SELECT id FROM companies WHERE organization_id = $1 AND domain = $2"

KNOWN: Final = """
SELECT $2::uuid IS NULL OR EXISTS (SELECT FROM users WHERE organization_id = $1 AND id = $2 AND active
                                                         AND role = ANY($5)) AS person,
       $3::uuid IS NULL OR EXISTS (SELECT FROM companies WHERE organization_id = $1 AND id = $3) AS company,
       $4::uuid IS NULL OR EXISTS (SELECT FROM contacts WHERE organization_id = $1 AND id = $4) AS contact"""

T = TypeVar("T", Contact, Company)


@dataclass(frozen=True)
class Filters:
    """Which contacts a list is to show; what is None does not matter."""

    owner_id: UUID | None = None
    company_id: UUID | None = None
    tag: str | None = None


async def add_contact(tx: Transaction, org: UUID, contact: Contact) -> Contact:
    """Write a new contact; what the database adds is in the result."""
    row = await tx.fetchrow(
        INSERT_CONTACT,
        org,
        contact.id,
        contact.name,
        folded(contact.name or ""),
        contact.email,
        contact.phone,
        contact.language,
        contact.company_id,
        contact.owner_id,
        contact.tags,
        contact.source,
        contact.custom_fields,
    )
    return _made(Contact, row)


async def save_contact(tx: Transaction, org: UUID, contact: Contact) -> Contact:
    """Write a changed contact: the result has the next sequence."""
    row = await tx.fetchrow(
        UPDATE_CONTACT,
        org,
        contact.id,
        contact.name,
        folded(contact.name or ""),
        contact.email,
        contact.phone,
        contact.language,
        contact.company_id,
        contact.owner_id,
        contact.tags,
        contact.custom_fields,
    )
    return _made(Contact, row)


async def read_contact(tx: Transaction, org: UUID, contact_id: UUID, *, lock: bool = False) -> Contact | None:
    """The contact, held until the commit with `lock`."""
    row = await tx.fetchrow(READ_CONTACT + " FOR UPDATE" * lock, org, contact_id)
    return None if row is None else _made(Contact, row)


async def identities_of(tx: Transaction, org: UUID, contact_id: UUID) -> list[Row]:
    """The channel identities that are this contact, the oldest first; at most 100."""
    return await tx.fetch(IDENTITIES, org, contact_id)


async def list_contacts(
    tx: Transaction, org: UUID, filters: Filters, order: Order, after: Sequence[object] | None, limit: int
) -> list[Contact]:
    """Contacts in this order (of `c`), those after the one with the key `after`."""
    where = Where(org, table="c").in_reach("contacts", "owner_id")
    where.equal({"owner_id": filters.owner_id, "company_id": filters.company_id})
    source = "contacts c"
    if filters.tag is not None:
        source = "contact_tags t JOIN contacts c ON c.organization_id = t.organization_id AND c.id = t.id"
        where.also("t.organization_id = {} AND t.tag = {}", org, filters.tag)
        if order.columns == ("c.id",):
            order = replace(order, columns=("t.id",))
    columns = ", ".join(f"c.{column}" for column in CONTACT_COLUMNS.split(", "))
    select = f"SELECT {columns} FROM {source}"  # noqa: S608
    return [_made(Contact, row) for row in await order.read(tx, select, where, after, limit)]


async def search_contacts(
    tx: Transaction, org: UUID, sought: str, filters: Filters, after: tuple[float, UUID], limit: int
) -> list[tuple[Contact, float]]:
    """Contacts whose name begins with or resembles `sought`, the best first, and their ranks."""
    sought = folded(sought)
    pattern = sought.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    rows = await tx.fetch(
        SEARCH_CONTACTS,
        org,
        sought,
        pattern,
        filters.owner_id,
        filters.company_id,
        filters.tag,
        *after,
        limit,
    )
    return [(_made(Contact, row, but="rank"), row["rank"]) for row in rows]


async def add_company(tx: Transaction, org: UUID, company: Company) -> Company:
    """Write a new company."""
    row = await tx.fetchrow(
        INSERT_COMPANY,
        org,
        company.id,
        company.name,
        company.domain,
        company.owner_id,
        company.tags,
        company.custom_fields,
    )
    return _made(Company, row)


async def save_company(tx: Transaction, org: UUID, company: Company) -> Company:
    """Write a changed company: the result has the next sequence."""
    row = await tx.fetchrow(
        UPDATE_COMPANY,
        org,
        company.id,
        company.name,
        company.domain,
        company.owner_id,
        company.tags,
        company.custom_fields,
    )
    return _made(Company, row)


async def read_company(tx: Transaction, org: UUID, company_id: UUID, *, lock: bool = False) -> Company | None:
    """The company, held until the commit with `lock`."""
    row = await tx.fetchrow(READ_COMPANY + " FOR UPDATE" * lock, org, company_id)
    return None if row is None else _made(Company, row)


async def list_companies(
    tx: Transaction,
    org: UUID,
    filters: Mapping[str, Any],
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Company]:
    """Companies that fit, in this order, those after the one with the key `after`. `filters`: column → value."""
    where = Where(org).equal(filters).in_reach("companies", "owner_id")
    select = f"SELECT {COMPANY_COLUMNS} FROM companies"  # noqa: S608
    return [_made(Company, row) for row in await order.read(tx, select, where, after, limit)]


async def company_with_domain(tx: Transaction, org: UUID, domain: str) -> UUID | None:
    """Which company has the domain; until the commit nobody else can take it."""
    await tx.execute(LOCK_DOMAIN, org, domain)
    found: UUID | None = await tx.fetchval(COMPANY_WITH_DOMAIN, org, domain)
    return found


async def known(
    tx: Transaction,
    org: UUID,
    *,
    person: UUID | None = None,
    company: UUID | None = None,
    contact: UUID | None = None,
) -> Row:
    """Whether `person` can be given work, and whether `company` and `contact` exist; None counts as yes."""
    row = await tx.fetchrow(KNOWN, org, person, company, contact, ASSIGNABLE_ROLES)
    assert row is not None
    return row


def _made(kind: type[T], row: Row | None, *, but: str = "") -> T:
    assert row is not None
    return kind(**{key: value for key, value in row.items() if key != but})

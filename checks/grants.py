"""What a service's database roles may do: the runtime role owns nothing, and neither reaches another schema."""

from typing import Final

import asyncpg
from flotilla.instance import owner_role, runtime_role

from checks.tables import EXEMPT, Complaint

POWERS: Final = """
SELECT rolname AS role, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls AS powerful,
       array(SELECT r.rolname::text FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
             WHERE m.member = pg_roles.oid) AS member_of
FROM pg_roles WHERE rolname = ANY ($1)"""

OWNED: Final = """
SELECT 'table ' || oid::regclass AS thing FROM pg_class WHERE relowner = $1::regrole
UNION ALL SELECT 'function ' || oid::regprocedure FROM pg_proc WHERE proowner = $1::regrole
UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspowner = $1::regrole
UNION ALL SELECT 'type ' || oid::regtype FROM pg_type WHERE typowner = $1::regrole
ORDER BY 1"""

REACHED: Final = """
SELECT n.nspname AS schema, has_schema_privilege($1, n.oid, 'CREATE') AS creates
FROM pg_namespace n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND (has_schema_privilege($1, n.oid, 'USAGE') OR has_schema_privilege($1, n.oid, 'CREATE'))
ORDER BY 1"""

DEFINERS: Final = """
SELECT p.proname AS name, p.prosrc AS source,
       p.prorettype IN ('void'::regtype, 'trigger'::regtype) AS silent, coalesce(p.proconfig, '{}')::text[] AS settings,
       coalesce(obj_description(p.oid, 'pg_proc'), '') AS comment
FROM pg_proc p WHERE p.pronamespace = $1::regnamespace AND p.prosecdef ORDER BY 1"""

UNBOUND: Final = (
    "is SECURITY DEFINER without a predicate on organization_id; add it, or say why not:"
    " COMMENT ON FUNCTION … IS 'exempt: <why>'"
)


async def check_grants(connection: asyncpg.Connection, service: str) -> list[Complaint]:
    """Roles, what they own and reach, and the functions that run as the owner."""
    runtime, owner = runtime_role(service), owner_role(service)
    found: list[Complaint] = []
    for row in await connection.fetch(POWERS, [runtime, owner]):
        if row["powerful"]:
            found.append(
                (row["role"], "has a power beyond its schema (superuser, BYPASSRLS, CREATEDB, …); revoke it")
            )
        if row["member_of"]:
            found.append((row["role"], f"is a member of {', '.join(row['member_of'])}; a role stands alone"))
    found += [
        (runtime, f"owns {row['thing']}; only {owner} owns, so that nobody at run time can unprotect")
        for row in await connection.fetch(OWNED, runtime)
    ]
    own = {service, f"{service}_bus", f"{service}_shadow"}
    for role, creates in ((runtime, set[str]()), (owner, own)):
        for row in await connection.fetch(REACHED, role):
            if row["schema"] not in own | {"extensions"}:
                found.append((role, f"reaches the schema {row['schema']}; revoke it"))
            elif row["creates"] and row["schema"] not in creates:
                found.append((role, f"can create in {row['schema']}; revoke it"))
    return found + await _definers(connection, service)


async def _definers(connection: asyncpg.Connection, service: str) -> list[Complaint]:
    """Functions that run as the owner: with a path of their own, and for one organization if they answer."""
    found: list[Complaint] = []
    for row in await connection.fetch(DEFINERS, service):
        if not any(setting.startswith("search_path=") for setting in row["settings"]):
            found.append(
                (row["name"], "is SECURITY DEFINER without SET search_path; a caller could swap its tables")
            )
        bound = "organization_id" in row["source"] or row["silent"]
        if not bound and not row["comment"].startswith(EXEMPT):
            found.append((row["name"], UNBOUND))
    return found

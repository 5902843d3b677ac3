"""What the check of a migrated database finds: schemas that break each rule, on the real server."""

import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from checks import database
from checks.project import Project
from checks.tests.conftest import Tree

ROOT = Path(__file__).resolve().parents[2]
Findings = Callable[[object], list[str]]

PROTECTED = """
    CREATE TABLE companies (
        organization_id uuid NOT NULL,
        id uuid NOT NULL,
        name text NOT NULL,
        PRIMARY KEY (organization_id, id)
    );
    SELECT protect_tenant_table('companies');
"""
BROKEN = {
    "unprotected": (
        "CREATE TABLE ships (organization_id uuid NOT NULL, id uuid, PRIMARY KEY (organization_id, id));",
        "kyb.ships its rows are not protected",
    ),
    "enabled but not forced": (
        "CREATE TABLE ships (organization_id uuid NOT NULL, id uuid, PRIMARY KEY (organization_id, id));"
        "SELECT protect_tenant_table('ships'); ALTER TABLE ships NO FORCE ROW LEVEL SECURITY;",
        "kyb.ships its rows are not protected",
    ),
    "another policy": (
        "CREATE TABLE ships (organization_id uuid NOT NULL, id uuid, PRIMARY KEY (organization_id, id));"
        "SELECT protect_tenant_table('ships'); CREATE POLICY open ON ships USING (true);",
        "kyb.ships its policy is not the one of rule 7",
    ),
    "a policy that was not reviewed": (
        "CREATE POLICY search ON companies FOR SELECT TO CURRENT_USER USING (true);",
        "kyb.companies its policy is not the one of rule 7",
    ),
    "a policy of reach that adds rows": (
        "CREATE POLICY reach ON companies FOR SELECT TO flotilla_kyb USING (true);",
        "kyb.companies its policy is not the one of rule 7",
    ),
    "no tenant": (
        "CREATE TABLE ships (id uuid PRIMARY KEY, name text);",
        "kyb.ships has no `organization_id uuid NOT NULL`",
    ),
    "a key that begins elsewhere": (
        "CREATE TABLE ships (organization_id uuid NOT NULL, id uuid, PRIMARY KEY (id, organization_id));"
        "SELECT protect_tenant_table('ships');",
        "kyb.ships its primary key begins with id",
    ),
    "unique across tenants": (
        "CREATE TABLE ships (organization_id uuid NOT NULL, id uuid, name text UNIQUE,"
        " PRIMARY KEY (organization_id, id)); SELECT protect_tenant_table('ships');",
        "is unique across tenants",
    ),
    "a foreign key across tenants": (
        "CREATE UNIQUE INDEX companies_id ON companies (id);"
        "CREATE TABLE ships (organization_id uuid NOT NULL, id uuid, company_id uuid REFERENCES companies (id),"
        " PRIMARY KEY (organization_id, id)); SELECT protect_tenant_table('ships');",
        "kyb.ships its foreign key ships_company_id_fkey crosses tenants",
    ),
    "sealed, but nobody knows": (
        "CREATE TABLE ships (organization_id uuid NOT NULL, id uuid, sealed_name bytea,"
        " PRIMARY KEY (organization_id, id)); SELECT protect_tenant_table('ships');",
        "kyb.ships sealed_name is sealed, but service.py does not say so",
    ),
    "exempt, but it tells something": (
        "CREATE TABLE tokens (hash bytea PRIMARY KEY, id uuid, email text, at timestamptz);"
        "COMMENT ON TABLE tokens IS 'exempt: found before the tenant is known';",
        "kyb.tokens is exempt but `email` is no hash, id or time",
    ),
    "exempt for no reason": (
        "CREATE TABLE tokens (hash bytea PRIMARY KEY); COMMENT ON TABLE tokens IS 'exempt:';",
        "kyb.tokens is exempt and doesn't say why",
    ),
    "a function that sees all": (
        "CREATE FUNCTION find(q text) RETURNS SETOF companies LANGUAGE sql SECURITY DEFINER SET search_path = kyb"
        " AS $$ SELECT * FROM companies $$;",
        "kyb.find is SECURITY DEFINER without a predicate",
    ),
    "a function with a loose path": (
        "CREATE FUNCTION find(org uuid) RETURNS SETOF companies LANGUAGE sql SECURITY DEFINER"
        " AS $$ SELECT * FROM companies WHERE organization_id = org $$;",
        "kyb.find is SECURITY DEFINER without SET search_path",
    ),
}


def migrated(tree: Tree, sql: str) -> None:
    tree.write("services/kyb/migrations/0001_companies.sql", PROTECTED + sql)


def test_tenants_kept_apart(tree: Tree, findings: Findings) -> None:
    migrated(
        tree,
        """
    CREATE TABLE ships (
        organization_id uuid NOT NULL,
        id uuid NOT NULL,
        company_id uuid NOT NULL,
        name text,
        PRIMARY KEY (organization_id, id),
        UNIQUE (organization_id, name),
        FOREIGN KEY (organization_id, company_id) REFERENCES companies (organization_id, id)
    );
    SELECT protect_tenant_table('ships');
    CREATE TABLE tokens (
        hash bytea PRIMARY KEY, organization_id uuid NOT NULL, sequence bigint, expires_at timestamptz
    );
    COMMENT ON TABLE tokens IS 'exempt: found by its hash before the tenant is known';
    """,
    )
    assert findings(database.check) == []


@pytest.mark.parametrize(("sql", "expected"), BROKEN.values(), ids=BROKEN.keys())
def test_tenants_not_kept_apart(tree: Tree, findings: Findings, sql: str, expected: str) -> None:
    migrated(tree, sql)
    found = findings(database.check)
    assert any(expected in line for line in found), found
    assert all(line.startswith("migrations/0001_companies.sql:") for line in found)


async def test_roles_that_may_too_much(tree: Tree) -> None:
    """What no migration of a service can do is done to a migrated database by hand."""
    migrated(tree, "")
    name = f"checks_{os.getpid()}_{uuid4().hex[:6]}"

    async def spoil(connection: asyncpg.Connection) -> None:
        await connection.execute("CREATE SCHEMA neighbour")
        await connection.execute("GRANT USAGE ON SCHEMA neighbour TO flotilla_kyb")
        await connection.execute("GRANT CREATE ON SCHEMA kyb TO flotilla_kyb")
        await connection.execute("ALTER TABLE kyb.companies OWNER TO flotilla_kyb")

    (complaints,) = await database.inspect(tree.project.running(), name, spoil)
    found = "\n".join(f"{thing} {message}" for thing, message in complaints)
    assert "flotilla_kyb reaches the schema neighbour" in found
    assert "flotilla_kyb can create in kyb" in found
    assert "flotilla_kyb owns table kyb.companies" in found


def test_a_server_that_is_down(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    migrated(tree, "")
    monkeypatch.setenv("FLOTILLA_ROOT", str(tree.root))
    instance = (ROOT / "deploy/instances/test.toml").read_text()
    tree.write("deploy/instances/test.toml", instance.replace("postgres = ", "postgres = 1 #"))
    with pytest.raises(database.AwayError, match="Postgres is down"):
        list(database.check(tree.project))


def test_this_projects_tenants_are_kept_apart() -> None:
    assert [str(found) for found in database.check(Project(ROOT))] == []

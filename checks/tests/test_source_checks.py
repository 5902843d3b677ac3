"""Checks that read the source: each rule with what breaks it, and what comes close and doesn't."""

from collections.abc import Callable
from textwrap import indent

import pytest

from checks import anatomy, calls, dependencies, documents, imports, sql, tenancy, transactions
from checks.tests.conftest import Tree

Findings = Callable[[object], list[str]]


def test_a_service_that_keeps_every_rule(tree: Tree, findings: Findings) -> None:
    for check in (anatomy, calls, dependencies, imports, sql, tenancy, transactions):
        assert findings(check.check) == []


@pytest.mark.parametrize(
    "line",
    [
        "import flotilla_crm",
        "from flotilla_crm.store import CONTACTS",
        "import importlib\ncrm = importlib.import_module('flotilla_crm.domain')",
    ],
)
def test_a_service_that_imports_another(tree: Tree, findings: Findings, line: str) -> None:
    tree.package("domain.py", f"import flotilla_kyb\n{line}\n")
    (found,) = findings(imports.check)
    assert "flotilla_kyb imports flotilla_crm; keep what it needs" in found


def test_a_test_of_a_service_that_imports_another(tree: Tree, findings: Findings) -> None:
    tree.write("services/kyb/tests/test_it.py", "from flotilla_crm import service\n")
    assert findings(imports.check)[0].startswith("tests/test_it.py:1: flotilla_kyb imports flotilla_crm")


def test_the_shared_package_that_imports_a_service(tree: Tree, findings: Findings) -> None:
    tree.write("libs/common/flotilla/run.py", "import flotilla_crm\n")
    assert "the shared package imports the service flotilla_crm" in findings(imports.check)[0]


def test_reaching_beside_the_checkout(tree: Tree, findings: Findings) -> None:
    tree.package("domain.py", f"RULES = '{imports.BESIDE}/rules.md'\n")
    assert "which no clone has" in findings(imports.check)[0]


def test_an_import_that_no_pyproject_names(tree: Tree, findings: Findings) -> None:
    tree.package("domain.py", "import json\nimport yaml\nfrom flotilla.ids import new_id\n")
    assert findings(dependencies.check) == [
        "flotilla_kyb/domain.py:2: imports yaml, which services/kyb/pyproject.toml doesn't name; add pyyaml there"
    ]
    tree.write("libs/common/pyproject.toml", '[project]\nname = "flotilla"\ndependencies = ["PyYAML>=6"]\n')
    assert findings(dependencies.check) == []


AWAITED_OUTSIDE = {
    "in a handler": """
        async def keep(tx: Transaction, batch: list[object]) -> None:
            await fetch_page("https://example.com")
        """,
    "in a route": """
        async def read(tx: Tx, app: CurrentApp) -> None:
            await app.documents.find("bodies")
        """,
    "in the body of a transaction": """
        async def sweep(app: App) -> None:
            async with app.db.transaction([]) as tx:
                await tx.fetch(SQL)
                await asyncio.sleep(1)
        """,
    "after begin": """
        async def send(work: Work) -> None:
            await upload()
            tx = await work.begin()
            await download()
        """,
    "although it is given the transaction": """
        async def draft(tx: Transaction, job: Job) -> None:
            await tx.app.own.provider.complete(tx, "Hello")
        """,
    "as a context": """
        async def keep(tx: Transaction) -> None:
            async with session.post("https://example.com"):
                pass
        """,
    "in a loop": """
        async def keep(tx: Transaction) -> None:
            async for line in stream():
                pass
        """,
    "without awaiting": """
        def keep(tx: Transaction) -> None:
            requests.get("https://example.com")
        """,
    "with a reason that is missing": """
        async def keep(tx: Transaction) -> None:
            await lock.acquire()  # outside:
        """,
}


@pytest.mark.parametrize("code", AWAITED_OUTSIDE.values(), ids=AWAITED_OUTSIDE.keys())
def test_awaiting_the_outside_in_a_transaction(tree: Tree, findings: Findings, code: str) -> None:
    tree.package("handlers.py", code)
    (found,) = findings(transactions.check)
    assert found.startswith("flotilla_kyb/handlers.py:")


def test_awaiting_what_belongs_to_the_transaction(tree: Tree, findings: Findings) -> None:
    tree.package(
        "handlers.py",
        """
        async def keep(tx: Transaction, batch: list[object]) -> None:
            rows = await tx.fetch(store.ROWS)
            await store.insert(tx, rows)
            await note(org, tx=tx)
            contacts = Contacts(tx)
            await contacts.add(rows)
            async with nullcontext() if alone else tx.savepoint():
                await tx.execute(store.MORE)
            await wake.wait()  # outside: an event of this process, set before

            async def later() -> None:
                await app.documents.find("bodies")

        async def prepare(app: App, batch: list[object]) -> None:
            await app.documents.insert(batch)

        async def perform(app: App, job: Job) -> None:
            async with app.db.transaction(job.org) as tx:
                await tx.execute(store.MORE)
            await app.own.provider.complete("Hello")
        """,
    )
    assert findings(transactions.check) == []
    assert transactions.note(tree.project) == "1 by `# outside:`"


def test_sql_outside_the_store(tree: Tree, findings: Findings) -> None:
    code = 'async def read(tx: Tx) -> None:\n    await tx.fetch("SELECT name FROM companies")\n'
    tree.package("store.py", code)
    tree.package("store/names.py", code)
    tree.package("adapters/postgres.py", code)
    tree.package(
        "words.py", '"""SELECT is a word."""\nADVICE = "Select a company"\nUPDATE = "UPDATE your client"\n'
    )
    assert findings(sql.check) == []
    tree.package("api.py", code)
    assert findings(sql.check) == ["flotilla_kyb/api.py:2: SQL outside the store; give it a name in store.py"]


def test_a_statement_that_leaves_it_to_the_policy_whose_rows_it_means(tree: Tree, findings: Findings) -> None:
    tree.write("services/kyb/migrations/0001_companies.sql", "SELECT protect_tenant_table('companies');\n")
    said = (
        'ONE = "SELECT name FROM companies WHERE organization_id = $1 AND id = $2"\n'
        'MANY = "SELECT c.name FROM unnest($1::uuid[]) AS t (org) JOIN companies c ON c.organization_id = t.org"\n'
        'LIST = f"SELECT name FROM companies WHERE {where} ORDER BY name"\n'
        'OTHER = "SELECT name FROM countries WHERE code = $1"\n'
        'BEGUN = "SELECT name FROM companies"\n'
        "async def listing(tx, org, order, after):\n"
        "    return await order.read(tx, BEGUN, Where(org), after, 10)\n"
    )
    tree.package("store.py", said)
    assert findings(tenancy.check) == []
    tree.package(
        "silent.py",
        'ALL = "SELECT name FROM companies WHERE id = $1"\n'
        'EVERY = "SELECT name FROM companies"\n'
        'JOINED = "UPDATE companies c SET name = t.name FROM unnest($1::uuid[]) AS t (org) WHERE c.id = t.id"\n',
    )
    assert findings(tenancy.check) == [
        f"flotilla_kyb/silent.py:{line}: whose companies it means is left to the policy; say its organization_id"
        for line in (1, 2, 3)
    ]


def test_what_is_left_for_later(tree: Tree, findings: Findings) -> None:
    word = "TO" + "DO"
    tree.write("services/kyb/migrations/0001_companies.sql", f"-- {word}: an index\n")
    tree.package("store.py", "ALL = 1\n")
    assert any(f"says {word}" in found for found in findings(anatomy.check))


def test_files_and_functions_that_are_too_long(tree: Tree, findings: Findings) -> None:
    tree.package("domain.py", "def decide() -> None:\n" + indent("pass\n" * 50, "    "))
    tree.package("api.py", "X = 1\n" * 351)
    assert findings(anatomy.check) == [
        "flotilla_kyb/api.py:350: has 351 lines; make it a folder of the same name (at most 350 each)",
        "flotilla_kyb/domain.py:1: decide has 51 lines; split it (at most 50)",
    ]


def test_a_name_that_says_nothing(tree: Tree, findings: Findings) -> None:
    tree.package("utils.py", "X = 1\n")
    assert "`utils` says nothing" in findings(anatomy.check)[0]


def test_a_layout_with_holes(tree: Tree, findings: Findings) -> None:
    tree.write("services/harbour/pyproject.toml", "")
    tree.package("__init__.py", "")
    found = "\n".join(findings(anatomy.check))
    for complaint in ("none of the fleet's services", "no tests/", "no migrations/", "no service.py"):
        assert complaint in found
    assert "says nowhere what it owns" in found


def test_migrations_without_a_store(tree: Tree, findings: Findings) -> None:
    tree.write("services/kyb/migrations/0001_companies.sql", "CREATE TABLE companies (id uuid);\n")
    assert findings(anatomy.check) == [
        "services/kyb:1: has migrations but no store.py; whoever knows one service looks there"
    ]


WRONG_CALLS = {
    "flotilla_kyb/domain.py": [
        "datetime.now()",
        "datetime.datetime.utcnow()",
        "print('done')",
        "os.system(command)",
        "subprocess.run(command, shell=True)",
        "pickle.loads(body)",
        "eval(text)",
    ],
    "tests/test_it.py": ["time.sleep(1)", "await asyncio.sleep(0.1)"],
}


@pytest.mark.parametrize(
    ("path", "call"), [(path, call) for path, calls in WRONG_CALLS.items() for call in calls]
)
def test_forbidden_calls(tree: Tree, findings: Findings, path: str, call: str) -> None:
    tree.write(f"services/kyb/{path}", f"async def run() -> None:\n    {call}\n")
    (found,) = findings(calls.check)
    assert found.startswith(f"{path}:2: ")


@pytest.mark.parametrize("line", ["return refresh_token == given", "return given != row.client_secret"])
def test_secrets_compared_in_a_time_that_tells(tree: Tree, findings: Findings, line: str) -> None:
    tree.package("domain.py", f"def same(given: str) -> bool:\n    {line}\n")
    assert "hmac.compare_digest" in findings(calls.check)[0]


def test_mocks(tree: Tree, findings: Findings) -> None:
    tree.write("services/kyb/tests/test_it.py", "from unittest.mock import AsyncMock\n")
    assert "mocks prove nothing" in findings(calls.check)[0]


def test_calls_that_are_allowed(tree: Tree, findings: Findings) -> None:
    tree.package("domain.py", "NOW = datetime.now(UTC)\nOPEN = password == ''\n")
    tree.write("libs/common/flotilla/cli/screen.py", "print('ready')\n")
    tree.write(
        "services/kyb/tests/test_it.py",
        """
        async def test() -> None:
            await asyncio.sleep(0)
            while not ready():
                await asyncio.sleep(0.01)
            time.sleep(1)  # sleep: idle for longer than the limit
        """,
    )
    assert findings(calls.check) == []


def test_a_document_that_names_a_test_that_is_not_there(tree: Tree, findings: Findings) -> None:
    tree.write("services/kyb/tests/test_it.py", "async def test_that_it_holds() -> None: ...\n")
    tree.write("docs/kyb.md", "`kyb/tests/test_it.py`, `test_it.py::test_that_it_holds`\n")
    assert findings(documents.check) == []
    tree.write("docs/kyb.md", "`test_gone.py`,\n`kyb/tests/test_it.py::test_gone`, `crm/tests/test_it.py`\n")
    assert [found.split(": ", 1)[1] for found in findings(documents.check)] == [
        "names test_gone.py, which is no test here",
        "names crm/tests/test_it.py, which is no test here",
        "names test_gone, which kyb/tests/test_it.py does not have",
    ]

"""The check that lists which come in pages can be sorted."""

from collections.abc import Callable

import pytest

from checks import lists
from checks.tests.conftest import Tree

Findings = Callable[[object], list[str]]
LISTS = """
    from flotilla.http import PageQuery, Routes
    from flotilla.http.sorting import ByTime
    from flotilla.service import Service

    routes = Routes("/v1/counterparties", tag="counterparties")

    @routes.get("", permission="companies:read")
    async def list_counterparties(query: PageQuery, sort: ByTime = "created_at") -> None: ...

    @routes.get("/whole", permission="companies:read")
    async def list_whole() -> None: ...

    @routes.get("/board", permission="companies:read")
    async def read_board(query: PageQuery) -> None: ...

    service = Service(name="kyb", routes=(routes,))
"""


def test_a_list_without_an_order_to_choose(
    tree: Tree, findings: Findings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.package("service.py", LISTS)
    (found,) = findings(lists.check)
    assert found.startswith("flotilla_kyb/service.py:13: read_board has `cursor` and no `sort`; give it")
    monkeypatch.setitem(lists.AS_THEY_ARE, ("kyb", "read_board"), "a board is as people arranged it")
    assert findings(lists.check) == []


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("list_counterparties", "has `sort`"),
        ("list_whole", "comes in no pages"),
        ("gone", "comes in no pages"),
    ],
)
def test_an_exception_that_is_none(
    tree: Tree, findings: Findings, monkeypatch: pytest.MonkeyPatch, name: str, wrong: str
) -> None:
    tree.package("service.py", LISTS)
    monkeypatch.setitem(lists.AS_THEY_ARE, ("kyb", "read_board"), "a board is as people arranged it")
    monkeypatch.setitem(lists.AS_THEY_ARE, ("kyb", name), "it was so once")
    (found,) = findings(lists.check)
    assert f"{name} {wrong}; take it out of AS_THEY_ARE" in found

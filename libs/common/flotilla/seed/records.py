"""Knowledge, companies, contacts, notes and tasks: looked for, and made where they are missing."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from flotilla.seed.content import Article, Crm, Knowledge, Task
from flotilla.seed.gateway import Gateway
from flotilla.seed.patience import once_known


async def write_articles(owner: Gateway, wanted: Knowledge) -> int:
    """The knowledge base; the number of articles that were missing."""
    known = {(source["title"], source["language"]) for source in await owner.every("/v1/knowledge/sources")}
    missing = [article for article in wanted.articles if (article.title, article.language) not in known]

    async def write(article: Article) -> None:
        body = {"title": article.title, "text": article.text.strip(), "language": article.language}
        await owner.post(
            "/v1/knowledge/sources", body, once=f"seed article {article.language} {article.title}"
        )

    await _together(write, missing)
    return len(missing)


async def keep_records(owner: Gateway, wanted: Crm, people: Mapping[str, str]) -> int:
    """Companies, contacts, notes and tasks; the number of those that were missing."""
    companies, made = await _companies(owner, wanted)
    contacts, more = await _contacts(owner, wanted, companies)
    made += more
    made += await _notes(owner, wanted, contacts)
    made += await _tasks(owner, wanted, contacts, people)
    return made


async def _companies(owner: Gateway, wanted: Crm) -> tuple[dict[str, str], int]:
    known = {each["domain"]: each["id"] for each in await owner.every("/v1/companies")}
    missing = [company for company in wanted.companies if company.domain not in known]
    for company in missing:
        made = await owner.post("/v1/companies", company, once=f"seed company {company.domain}")
        known[company.domain] = made["id"]
    return known, len(missing)


async def _contacts(owner: Gateway, wanted: Crm, companies: Mapping[str, str]) -> tuple[dict[str, str], int]:
    known = {each["email"]: each["id"] for each in await owner.every("/v1/contacts")}
    missing = [contact for contact in wanted.contacts if contact.email not in known]
    for contact in missing:
        body = msgspec.to_builtins(contact)
        body["company_id"] = companies[body.pop("company")]
        made = await owner.post("/v1/contacts", body, once=f"seed contact {contact.email}")
        known[contact.email] = made["id"]
    return known, len(missing)


async def _notes(owner: Gateway, wanted: Crm, contacts: Mapping[str, str]) -> int:
    known = {(each["contact_id"], each["text"]) for each in await owner.every("/v1/notes")}
    bodies = [{"contact_id": contacts[note.contact], "text": note.text} for note in wanted.notes]
    missing = [body for body in bodies if (body["contact_id"], body["text"]) not in known]

    async def write(body: dict[str, str]) -> None:
        await owner.post("/v1/notes", body, once=f"seed note {body['contact_id']} {body['text'][:80]}")

    await _together(write, missing)
    return len(missing)


async def _tasks(owner: Gateway, wanted: Crm, contacts: Mapping[str, str], people: Mapping[str, str]) -> int:
    known = {each["title"] for each in await owner.every("/v1/tasks")}
    missing = [task for task in wanted.tasks if task.title not in known]

    async def plan(task: Task) -> None:
        body: dict[str, Any] = {"title": task.title, "assignee_id": people[task.assignee]}
        if task.contact:
            body["contact_id"] = contacts[task.contact]
        if task.due_in_days is not None:
            day = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
            body["due_at"] = (day + timedelta(days=task.due_in_days)).isoformat()
        # A colleague who has just come may not be known there yet.
        await once_known(lambda: owner.post("/v1/tasks", body), 422)

    await _together(plan, missing)
    return len(missing)


async def _together(make: Callable[[Any], Awaitable[None]], missing: list[Any]) -> None:
    """All at once; the first refusal is raised when all have ended."""
    outcomes = await asyncio.gather(*(make(each) for each in missing), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome

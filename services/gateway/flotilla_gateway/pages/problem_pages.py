"""What each problem means (RFC 9457 section 3.1.1): a page for every type the platform answers with."""

from html import escape
from typing import Final

from flotilla import problems as common
from flotilla.problems import Problem

from flotilla_gateway import problems as own

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title} · Flotilla</title><link rel="stylesheet" href="/docs/docs.css"></head>
<body class="problem"><main>{content}<p><a href="/problems">All problems</a> · <a href="/docs">The API</a></p></main>
</body></html>
"""


def all_problems() -> dict[str, type[Problem]]:
    """Every problem there is, by slug, in the order of their statuses."""
    declared = [
        thing
        for module in (common, own)
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, Problem)
    ]
    return {problem.slug: problem for problem in sorted(declared, key=lambda each: (each.status, each.slug))}


def list_page() -> str:
    """All of them."""
    rows = "".join(
        f'<tr><td>{problem.status}</td><td><a href="/problems/{slug}">{slug}</a></td>'
        f"<td>{escape(problem.title)}</td></tr>"
        for slug, problem in all_problems().items()
    )
    table = f"<table><tr><th>status</th><th>type</th><th>title</th></tr>{rows}</table>"
    return _PAGE.format(title="Problems", content=f"<h1>Problems</h1>{table}")


def page(slug: str) -> str | None:
    """One of them; none for a slug that is not ours."""
    problem = all_problems().get(slug)
    if problem is None:
        return None
    says = escape(" ".join((problem.__doc__ or "").split()))
    content = (
        f"<p class='status'>{problem.status}</p><h1>{escape(problem.title)}</h1><p>{says}</p>"
        "<p>The answer's <code>detail</code> says what to do in this case, <code>errors</code> which values "
        "do not fit, and <code>request_id</code> names the request to the operator.</p>"
    )
    return _PAGE.format(title=escape(problem.title), content=content)

"""Parameters that lists have alike. What each `sort` means is an `Order` (flotilla.store.order)."""

from typing import Annotated, Final, Literal, TypeVar

from fastapi import Query

T = TypeVar("T")
Several = Annotated[list[T] | None, Query(max_length=20, description="Any of these: repeat the parameter.")]
"""A filter by one value or more, as `Where.equal` takes it: `state: Several[State] = None`."""

SORT: Final = "`-`: the other way round."

Sort = Annotated[T, Query(description=SORT)]
"""By orders of the list's own: `sort: Sort[Literal["due_on", "-due_on"]] = "due_on"`."""

ByTime = Annotated[Literal["-created_at", "created_at"], Query(description=SORT)]
"""With the orders `BY_TIME` or `BY_CREATED`."""
ByTimeOrName = Annotated[Literal["-created_at", "created_at", "name", "-name"], Query(description=SORT)]
"""With the orders `BY_TIME` and `BY_NAME`."""

"""What bodies have in common."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


def _plain(text: str) -> str:
    if not text.strip():
        raise ValueError("There is nothing in it.")
    if "\x00" in text:
        raise ValueError("A text holds no NUL character.")
    return text


Plain = Annotated[str, AfterValidator(_plain)]
"""Text that can be stored and sent."""


class Input(BaseModel):
    """A body; a field that isn't known is an error, not ignored."""

    model_config = ConfigDict(extra="forbid")

"""What callers write and read: the bases of every service's bodies."""

from pydantic import BaseModel, ConfigDict


class Written(BaseModel):
    """A body: a field it does not know is a mistake, not a wish to be ignored."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Shown(BaseModel):
    """An answer, made of a domain object."""

    model_config = ConfigDict(from_attributes=True)

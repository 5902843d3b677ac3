"""The registers, one file each, behind one protocol."""

from flotilla_kyb.sources.base import Answer, Asking, Exchange, Source, SourceDownError, SourceRefusedError
from flotilla_kyb.sources.gleif import Gleif
from flotilla_kyb.sources.vies import Vies

__all__ = [
    "Answer",
    "Asking",
    "Exchange",
    "Gleif",
    "Source",
    "SourceDownError",
    "SourceRefusedError",
    "Vies",
]

"""What services know of people: declared by each, erased and brought together when somebody asks for it.

`flotilla_<service>/privacy.py` says where a service holds something of a person (`Privacy`), its `service.py` names it.
From there on it answers auth's `erasure.requested` and `export.requested` by itself.
"""

from flotilla.privacy.declare import Person, Privacy, Rows

__all__ = ["Person", "Privacy", "Rows"]

"""crm over HTTP."""

from flotilla_crm.api.companies import companies
from flotilla_crm.api.contacts import contacts
from flotilla_crm.api.notes import notes
from flotilla_crm.api.tasks import tasks

__all__ = ["companies", "contacts", "notes", "tasks"]

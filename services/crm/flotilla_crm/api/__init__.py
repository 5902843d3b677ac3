"""crm over HTTP."""

from flotilla_crm.api.companies import companies
from flotilla_crm.api.contacts import contacts
from flotilla_crm.api.merges import merges
from flotilla_crm.api.merges import of_contact as contact_merges
from flotilla_crm.api.notes import notes
from flotilla_crm.api.tasks import tasks

__all__ = ["companies", "contact_merges", "contacts", "merges", "notes", "tasks"]

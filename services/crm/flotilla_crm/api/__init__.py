"""crm over HTTP."""

from flotilla_crm.api.bookings import bookings
from flotilla_crm.api.companies import companies
from flotilla_crm.api.consents import consents
from flotilla_crm.api.consents import records as consent_records
from flotilla_crm.api.contacts import contacts
from flotilla_crm.api.duplicates import duplicates
from flotilla_crm.api.hosts import booking_hosts
from flotilla_crm.api.imports import imports
from flotilla_crm.api.leads import leads
from flotilla_crm.api.merges import merges
from flotilla_crm.api.merges import of_contact as contact_merges
from flotilla_crm.api.notes import notes
from flotilla_crm.api.portal import portal
from flotilla_crm.api.segments import segments
from flotilla_crm.api.tasks import tasks

__all__ = [
    "booking_hosts",
    "bookings",
    "companies",
    "consent_records",
    "consents",
    "contact_merges",
    "contacts",
    "duplicates",
    "imports",
    "leads",
    "merges",
    "notes",
    "portal",
    "segments",
    "tasks",
]

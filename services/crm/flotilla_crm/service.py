"""What crm has: everything in one place."""

from datetime import timedelta

from flotilla.bus.declare import Lane
from flotilla.events import bookings as booking_events
from flotilla.events import crm as events
from flotilla.events import leads as lead_events
from flotilla.events import privacy as privacy_events
from flotilla.events.integrations import CalendarEventDeleteRequested, CalendarEventRequested
from flotilla.events.messaging import MessageRequested
from flotilla.events.websocket import NotificationRequested
from flotilla.service import Service

from flotilla_crm import booking_wishes, handlers, lead_handlers, revisions, wishes
from flotilla_crm.api import (
    booking_hosts,
    bookings,
    companies,
    consent_records,
    consents,
    contact_merges,
    contacts,
    duplicates,
    imports,
    leads,
    merges,
    notes,
    portal,
    segments,
    tasks,
)
from flotilla_crm.booking_saga import booking_moved, booking_saga
from flotilla_crm.commands import task_due
from flotilla_crm.importing import import_rows
from flotilla_crm.leads import leads_age
from flotilla_crm.privacy import privacy, resolve_contacts
from flotilla_crm.regions import locate_contacts
from flotilla_crm.reminders import booking_reminder
from flotilla_crm.segments import keep_segments

service = Service(
    name="crm",
    privacy=privacy,
    routes=(
        duplicates,  # before the contacts, whose ids it would be taken for
        contacts,
        contact_merges,
        merges,
        consents,
        consent_records,
        segments,
        imports,
        companies,
        tasks,
        notes,
        leads,
        booking_hosts,
        bookings,
        portal,
    ),
    lanes=(
        Lane("people", wait=timedelta(milliseconds=20), busy_wait=timedelta(milliseconds=250)),
        Lane("timeline", wait=timedelta(milliseconds=250)),
        Lane("directory"),
        Lane("wishes"),
    ),
    handlers=(
        handlers.meet_senders,
        handlers.note_replies,
        lead_handlers.name_leads,
        lead_handlers.rescore_contacts,
        lead_handlers.rescore_companies,
        lead_handlers.rescore_conversations,
        lead_handlers.convert_leads,
        handlers.keep_users,
        handlers.keep_clients,
        wishes.grant_tasks,
        wishes.take_back_tasks,
        revisions.revise_contacts,
        resolve_contacts,
        booking_wishes.keep_calendars,
        booking_wishes.grant_bookings,
        booking_saga.facts,
    ),
    timers=(task_due, leads_age, booking_saga.timer, booking_moved, booking_reminder),
    jobs=(import_rows,),
    workers=(keep_segments, locate_contacts),
    sagas=(booking_saga,),
    emits=(
        events.ContactCreated,
        events.ContactUpdated,
        events.ContactUpdateFailed,
        events.ContactIdentified,
        events.ContactMerged,
        events.ContactUnmerged,
        events.ContactDeleted,
        events.ContactLocated,
        events.ConsentChanged,
        privacy_events.ContactResolved,
        privacy_events.ContactResolveFailed,
        events.SegmentEntered,
        events.SegmentLeft,
        events.ImportProgressed,
        events.ImportFinished,
        events.CompanyCreated,
        events.CompanyUpdated,
        events.TaskCreated,
        events.TaskUpdated,
        events.TaskCompleted,
        events.TaskDue,
        events.TaskFailed,
        events.TaskDeleted,
        events.TaskDeleteFailed,
        events.NoteCreated,
        events.LeadCreated,
        lead_events.LeadUpdated,
        lead_events.LeadConverted,
        lead_events.LeadScored,
        lead_events.LeadRouted,
        booking_events.BookingConfirmed,
        booking_events.BookingFailed,
        booking_events.BookingRescheduled,
        booking_events.BookingRescheduleFailed,
        booking_events.BookingCancelled,
        CalendarEventRequested,
        CalendarEventDeleteRequested,
        MessageRequested,
        NotificationRequested,
    ),
)

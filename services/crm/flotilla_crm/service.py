"""What crm has: everything in one place."""

from datetime import timedelta

from flotilla.bus.declare import Lane
from flotilla.events import crm as events
from flotilla.service import Service

from flotilla_crm import handlers, revisions, wishes
from flotilla_crm.api import companies, contact_merges, contacts, merges, notes, tasks
from flotilla_crm.commands import task_due

service = Service(
    name="crm",
    routes=(contacts, contact_merges, merges, companies, tasks, notes),
    lanes=(
        Lane("people", wait=timedelta(milliseconds=20)),
        Lane("timeline", wait=timedelta(milliseconds=250)),
        Lane("directory"),
        Lane("wishes"),
    ),
    handlers=(
        handlers.meet_senders,
        handlers.note_replies,
        handlers.name_leads,
        handlers.keep_users,
        wishes.grant_tasks,
        wishes.take_back_tasks,
        revisions.revise_contacts,
    ),
    timers=(task_due,),
    emits=(
        events.ContactCreated,
        events.ContactUpdated,
        events.ContactUpdateFailed,
        events.ContactIdentified,
        events.ContactMerged,
        events.ContactUnmerged,
        events.ContactDeleted,
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
    ),
)

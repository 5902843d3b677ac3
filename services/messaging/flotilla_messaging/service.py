"""Messaging's table of contents."""

from datetime import timedelta

from flotilla.bus.declare import Lane
from flotilla.events.messaging import (
    ConversationAssigned,
    ConversationAssignFailed,
    ConversationEscalated,
    ConversationEscalateFailed,
    ConversationOpened,
    ConversationReopened,
    ConversationResolved,
    ConversationSnoozed,
    ConversationUpdated,
    InboxCreated,
    InboxDeleted,
    InboxDeleteFailed,
    InboxFailed,
    InboxUpdated,
    MessageDelivered,
    MessageFailed,
    MessageRead,
    MessageReceived,
    MessageRefused,
    MessageSendRequested,
    MessageSent,
    MessageUnconfirmed,
)
from flotilla.events.threads import AttachmentStored, MessageDeleted, MessageEdited, MessageNoted
from flotilla.events.transient import ConversationTyping
from flotilla.events.websocket import NotificationRequested
from flotilla.service import Service

from flotilla_messaging import filing
from flotilla_messaging.api import (
    attachments,
    conversations,
    escalations,
    inboxes,
    messages,
    notes,
    portal,
    typing_notices,
)
from flotilla_messaging.handlers.assignments import grant_assignments
from flotilla_messaging.handlers.clients import keep_clients
from flotilla_messaging.handlers.deliveries import follow_deliveries
from flotilla_messaging.handlers.drafts import queue_drafts
from flotilla_messaging.handlers.escalations import grant_escalations, keep_teams
from flotilla_messaging.handlers.inbound import receive
from flotilla_messaging.handlers.onboarding import begin_inboxes, take_back_inboxes
from flotilla_messaging.handlers.people import (
    keep_identities,
    keep_members,
    keep_opt_outs,
    release_conversations,
)
from flotilla_messaging.handlers.wishes import queue_wishes
from flotilla_messaging.privacy import privacy
from flotilla_messaging.removal import body_removal
from flotilla_messaging.snooze import snooze_ended
from flotilla_messaging.sweep import body_sweep

SOON = timedelta(milliseconds=20)
BUSY = timedelta(milliseconds=50)
AT_LEISURE = timedelta(milliseconds=400)
"""Of what is on its way out: there is less of it, and a batch costs as many statements whatever is in it."""

service = Service(
    name="messaging",
    privacy=privacy,
    documents=True,
    resources=filing.held,
    routes=(
        conversations.routes,
        escalations.conversation,
        escalations.routes,
        typing_notices.routes,
        messages.history,
        messages.routes,
        notes.notes,
        notes.routes,
        attachments.of_conversation,
        attachments.routes,
        inboxes.routes,
        portal.routes,
    ),
    lanes=(
        Lane("inbound", wait=SOON, busy_wait=BUSY),
        Lane("drafts", wait=SOON, busy_wait=AT_LEISURE),
        Lane("deliveries", wait=SOON, busy_wait=AT_LEISURE),
        Lane("directory"),
    ),
    handlers=(
        receive,
        queue_drafts,
        queue_wishes,
        follow_deliveries,
        keep_identities,
        keep_members,
        keep_clients,
        keep_opt_outs,
        release_conversations,
        begin_inboxes,
        take_back_inboxes,
        grant_assignments,
        grant_escalations,
        keep_teams,
    ),
    jobs=(body_removal, filing.file_removal),
    timers=(snooze_ended, filing.upload_abandoned),
    workers=(body_sweep,),
    emits=(
        ConversationOpened,
        ConversationTyping,
        ConversationAssigned,
        ConversationAssignFailed,
        ConversationEscalated,
        ConversationEscalateFailed,
        ConversationUpdated,
        ConversationSnoozed,
        ConversationResolved,
        ConversationReopened,
        MessageReceived,
        MessageRefused,
        MessageSendRequested,
        MessageSent,
        MessageFailed,
        MessageUnconfirmed,
        MessageDelivered,
        MessageRead,
        MessageNoted,
        MessageEdited,
        MessageDeleted,
        AttachmentStored,
        NotificationRequested,
        InboxCreated,
        InboxUpdated,
        InboxDeleted,
        InboxFailed,
        InboxDeleteFailed,
    ),
)

"""Messaging's table of contents."""

from datetime import timedelta

from flotilla.bus.declare import Lane
from flotilla.events.messaging import (
    ConversationAssigned,
    ConversationAssignFailed,
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
from flotilla.service import Service

from flotilla_messaging.api import conversations, inboxes, messages
from flotilla_messaging.handlers.assignments import grant_assignments
from flotilla_messaging.handlers.deliveries import follow_deliveries
from flotilla_messaging.handlers.drafts import queue_drafts
from flotilla_messaging.handlers.inbound import receive
from flotilla_messaging.handlers.onboarding import begin_inboxes, take_back_inboxes
from flotilla_messaging.handlers.people import (
    keep_identities,
    keep_members,
    keep_opt_outs,
    release_conversations,
)
from flotilla_messaging.handlers.wishes import queue_wishes
from flotilla_messaging.snooze import snooze_ended
from flotilla_messaging.sweep import body_sweep

SOON = timedelta(milliseconds=20)

service = Service(
    name="messaging",
    documents=True,
    routes=(conversations.routes, messages.history, messages.routes, inboxes.routes),
    lanes=(
        Lane("inbound", wait=SOON),
        Lane("drafts", wait=SOON),
        Lane("deliveries", wait=SOON),
        Lane("directory"),
    ),
    handlers=(
        receive,
        queue_drafts,
        queue_wishes,
        follow_deliveries,
        keep_identities,
        keep_members,
        keep_opt_outs,
        release_conversations,
        begin_inboxes,
        take_back_inboxes,
        grant_assignments,
    ),
    timers=(snooze_ended,),
    workers=(body_sweep,),
    emits=(
        ConversationOpened,
        ConversationAssigned,
        ConversationAssignFailed,
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
        InboxCreated,
        InboxUpdated,
        InboxDeleted,
        InboxFailed,
        InboxDeleteFailed,
    ),
)

"""What people look at, live; and what ends their connections.

Exact types: a queue that took everything would be handed each step of a message on its way, which nobody looks at.
Three are left out for what a message costs, as the one beside them says it already: `contact.identified`
(`contact.created`), `conversation.opened` (`message.received`, the first of its conversation) and `lead.created`
(`lead.qualified`). Wishes and the answers that only who asked waits for are left out as well.
"""

from typing import Final

from flotilla.events import (
    ai,
    auth,
    automation,
    bd_accounts,
    billing,
    bookings,
    connectors,
    crm,
    integrations,
    kyb,
    leads,
    messaging,
    pipeline,
    security,
    threads,
    transient,
    websocket,
)
from flotilla.events.base import Event

INBOX: Final[tuple[type[Event], ...]] = (
    messaging.ConversationUpdated,
    messaging.ConversationAssigned,
    messaging.ConversationSnoozed,
    messaging.ConversationEscalated,
    messaging.ConversationResolved,
    messaging.ConversationReopened,
    messaging.MessageReceived,
    messaging.MessageSent,
    messaging.MessageFailed,
    messaging.MessageUnconfirmed,
    messaging.MessageDelivered,
    messaging.MessageRead,
    threads.MessageNoted,
    threads.MessageEdited,
    threads.MessageDeleted,
    threads.AttachmentStored,
    ai.MessageAnalyzed,
    ai.DraftGenerated,
    ai.DraftApproved,
    ai.DraftRejected,
    ai.DraftFailed,
    ai.DraftSent,
    ai.ConversationSummarized,
    ai.PolicyViolated,
    ai.InsightFound,
    ai.InsightDecided,
    integrations.IntegrationConnected,
    integrations.IntegrationDisconnected,
    integrations.IntegrationFailed,
)
CUSTOMERS: Final[tuple[type[Event], ...]] = (
    crm.ContactCreated,
    crm.ContactUpdated,
    crm.TaskCreated,
    crm.TaskUpdated,
    crm.TaskCompleted,
    crm.TaskDeleted,
    crm.TaskDue,
    crm.NoteCreated,
    bookings.BookingConfirmed,
    bookings.BookingFailed,
    bookings.BookingRescheduled,
    bookings.BookingRescheduleFailed,
    bookings.BookingCancelled,
    connectors.VoiceCallEnded,
    connectors.CommerceOrderChanged,
    kyb.CounterpartyCreated,
    kyb.CounterpartyChanged,
    kyb.CounterpartyChecked,
    kyb.CounterpartyAlertRaised,
    kyb.CounterpartyCleared,
    kyb.CounterpartyRefused,
    kyb.SourceFailed,
    kyb.SourceRecovered,
)
SALES: Final[tuple[type[Event], ...]] = (
    ai.LeadQualified,
    leads.LeadUpdated,
    leads.LeadScored,
    leads.LeadRouted,
    leads.LeadConverted,
    pipeline.PipelineCreated,
    pipeline.PipelineUpdated,
    pipeline.StageCreated,
    pipeline.StageUpdated,
    pipeline.DealCreated,
    pipeline.DealUpdated,
    pipeline.DealStageChanged,
    pipeline.DealWon,
    pipeline.DealLost,
    pipeline.DealClosed,
    pipeline.DealRotted,
    pipeline.DealHeld,
    pipeline.DealReleased,
    billing.InvoiceIssued,
    billing.InvoiceFailed,
    billing.InvoiceUpdated,
    billing.InvoicePaid,
    billing.InvoiceVoided,
    billing.PaymentFailed,
)
OFFICE: Final[tuple[type[Event], ...]] = (
    bd_accounts.BdAccountConnected,
    bd_accounts.BdAccountDisconnected,
    bd_accounts.BdAccountPurchased,
    bd_accounts.BdAccountRented,
    bd_accounts.BdAccountReleased,
    bd_accounts.BidiAssigned,
    bd_accounts.BidiUnassigned,
    automation.RuleCreated,
    automation.RuleUpdated,
    automation.RuleTriggered,
    automation.TriggerExecuted,
    automation.TriggerFailed,
    billing.SubscriptionUpdated,
    billing.SubscriptionCancelled,
    billing.UsageLimitReached,
)
OWN: Final[tuple[type[Event], ...]] = (websocket.NotificationDelivered, websocket.NotificationRead)
"""What a person is told, and has read in another window."""
SHOWN: Final = (*INBOX, *CUSTOMERS, *SALES, *OFFICE, *OWN)
PASSING: Final[tuple[type[Event], ...]] = (transient.ChannelTyping, transient.ConversationTyping)
"""Shown to whoever is connected now; kept for nobody."""
HEEDED: Final[tuple[type[Event], ...]] = (
    auth.SessionEnded,
    auth.ApiKeyRevoked,
    security.OAuthClientRevoked,
    auth.UserDeactivated,
    auth.UserUpdated,
    auth.OrganizationSuspended,
    auth.OrganizationUpdated,
)
"""What ends connections."""

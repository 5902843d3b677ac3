"""What ai has: everything in one place."""

from datetime import timedelta

from flotilla.bus.declare import Lane
from flotilla.events import ai as events
from flotilla.events.messaging import ConversationEscalateRequested
from flotilla.service import Service

from flotilla_ai import alarms, budgets, hosted, summarizing
from flotilla_ai.api.analyses import analyses
from flotilla_ai.api.configuration import configuration
from flotilla_ai.api.drafts import drafts
from flotilla_ai.api.insights import insights
from flotilla_ai.api.knowledge import knowledge
from flotilla_ai.api.policies import policies, violations
from flotilla_ai.api.qualifications import qualifications
from flotilla_ai.api.summaries import summaries
from flotilla_ai.handlers import messages, outcomes, requested
from flotilla_ai.holdings import held
from flotilla_ai.privacy import privacy
from flotilla_ai.providers.directory import SEALED
from flotilla_ai.settings import AiSettings

service = Service(
    name="ai",
    privacy=privacy,
    niceness=15,  # a draft may be late where the message it answers must not be
    settings=AiSettings,
    resources=held,
    routes=(
        drafts,
        knowledge,
        analyses,
        qualifications,
        configuration,
        policies,
        violations,
        summaries,
        insights,
    ),
    lanes=(
        Lane("messages", wait=timedelta(milliseconds=20), busy_wait=timedelta(milliseconds=300)),
        Lane(requested.LANE, wait=timedelta(milliseconds=20)),
        Lane(outcomes.LANE),
        Lane("budgets", wait=timedelta(milliseconds=100)),
    ),
    handlers=(
        messages.answer,
        requested.propose,
        outcomes.follow_drafts,
        outcomes.summarize_resolved,
        outcomes.keep_assignees,
        budgets.keep_budgets,
    ),
    jobs=(hosted.draft, summarizing.summary),
    timers=(hosted.draft_deadline, alarms.expire_drafts, alarms.report_usage),
    sealed=(SEALED,),
    emits=(
        events.MessageAnalyzed,
        events.DraftGenerated,
        events.DraftApproved,
        events.DraftRejected,
        events.DraftFailed,
        events.KnowledgeIndexed,
        events.UsageRecorded,
        events.LeadQualified,
        events.DraftSent,
        events.PolicyViolated,
        events.ConversationSummarized,
        events.InsightFound,
        events.InsightDecided,
        ConversationEscalateRequested,
    ),
)

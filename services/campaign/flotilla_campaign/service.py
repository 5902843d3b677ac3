"""Campaign's table of contents."""

from datetime import timedelta

from flotilla.bus.declare import Lane
from flotilla.events.campaign import (
    CampaignCreated,
    CampaignFinished,
    CampaignPaused,
    CampaignStarted,
    ConsentRuleChanged,
    ContactUnsubscribed,
    ExperimentDecided,
    MailBounced,
    MailClicked,
    MailOpened,
    SequenceFinished,
    SequenceStarted,
    SequenceStartFailed,
    SequenceStepDue,
    SequenceStepSent,
    SequenceStopped,
)
from flotilla.events.messaging import MessageRequested
from flotilla.service import Service

from flotilla_campaign import audiences, consents, contacts, own, workers
from flotilla_campaign.api import campaigns, consent_rules, enrolments, sequences, suppressions, tracking
from flotilla_campaign.campaigns import campaign_due, campaign_end
from flotilla_campaign.experiments import experiment_due
from flotilla_campaign.handlers import follow_messages, keep_zones
from flotilla_campaign.privacy import privacy
from flotilla_campaign.settings import CampaignSettings
from flotilla_campaign.stepping import step_due

service = Service(
    name="campaign",
    privacy=privacy,
    settings=CampaignSettings,
    resources=own.opened,
    routes=(
        campaigns.routes,
        sequences.routes,
        enrolments.routes,
        suppressions.routes,
        tracking.routes,
        consent_rules.routes,
    ),
    lanes=(Lane("directory"), Lane("audiences"), Lane(own.LANE, wait=timedelta(milliseconds=100))),
    handlers=(
        keep_zones,
        consents.keep_consents,
        consents.keep_regions,
        contacts.heed_consent,
        contacts.follow_merges,
        contacts.stop_deleted,
        audiences.keep_segments,
        audiences.enrol_entrants,
        audiences.stop_leavers,
        audiences.grant_enrolments,
    ),
    tap=follow_messages,
    timers=(step_due, campaign_due, campaign_end, experiment_due),
    workers=(workers.bindings,),
    emits=(
        CampaignCreated,
        CampaignStarted,
        CampaignPaused,
        CampaignFinished,
        SequenceStarted,
        SequenceStartFailed,
        SequenceStepDue,
        SequenceStepSent,
        SequenceFinished,
        SequenceStopped,
        ContactUnsubscribed,
        ConsentRuleChanged,
        ExperimentDecided,
        MailOpened,
        MailClicked,
        MailBounced,
        MessageRequested,
    ),
)

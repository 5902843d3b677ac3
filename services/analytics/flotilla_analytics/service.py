"""analytics: the table of contents."""

from datetime import timedelta

from flotilla.bus.declare import Lane
from flotilla.events.analytics import (
    ArchiveReadFailed,
    ArchiveReadFinished,
    AuditExported,
    GoalReached,
    MetricRecorded,
    QualityReviewed,
    ReplayFailed,
    ReplayRequested,
    ReportReady,
    SurveyAnswered,
    SurveySent,
)
from flotilla.events.messaging import MessageRequested
from flotilla.events.websocket import NotificationRequested
from flotilla.service import Service

from flotilla_analytics import handlers, sharing
from flotilla_analytics.api import (
    archive,
    audit,
    custom_metrics,
    goals,
    journeys,
    metrics,
    organizations,
    quality,
    replays,
    reports,
    sales,
    search,
    survey_answers,
    surveys,
)
from flotilla_analytics.goals import judge_goals
from flotilla_analytics.privacy import privacy
from flotilla_analytics.replaying import openings, readings, wishes
from flotilla_analytics.reporting import remove_file, report_due, report_expired, run_report
from flotilla_analytics.resources import open_resources
from flotilla_analytics.store.keys import SEALED
from flotilla_analytics.surveying import survey_due
from flotilla_analytics.workers import metrics as metrics_fold
from flotilla_analytics.workers import sales as sales_fold
from flotilla_analytics.workers import search as search_fold
from flotilla_analytics.workers import surveys as surveys_fold
from flotilla_analytics.workers.partitions import partitions
from flotilla_analytics.workers.sealer import sealer

service = Service(
    name="analytics",
    privacy=privacy,
    niceness=15,  # the archive, search and figures lag and catch up
    resources=open_resources,
    routes=(
        archive.routes,
        audit.routes,
        journeys.routes,
        metrics.routes,
        organizations.routes,
        sales.routes,
        custom_metrics.routes,
        goals.routes,
        reports.routes,
        reports.measures,
        replays.routes,
        survey_answers.routes,  # before the surveys, whose ids it would be taken for
        surveys.routes,
        quality.routes,
        search.routes,
    ),
    lanes=(
        Lane(
            "archive",
            wait=timedelta(milliseconds=200),
            busy_wait=timedelta(milliseconds=400),
            batch=500,
        ),
        wishes.LANE,
        sharing.LANE,
    ),
    handlers=(
        sharing.keep_grants,
        wishes.begin_replays,
        wishes.read_for_replays,
        wishes.end_replays,
        wishes.read_for_others,
    ),
    tap=handlers.archive,
    timers=(judge_goals, report_due, report_expired, survey_due),
    jobs=(openings.job, readings.job, run_report, remove_file),
    workers=(
        sealer,
        metrics_fold.worker,
        sales_fold.worker,
        search_fold.worker,
        surveys_fold.worker,
        partitions,
    ),
    sealed=(SEALED,),
    emits=(
        ArchiveReadFailed,
        ArchiveReadFinished,
        AuditExported,
        ReplayFailed,
        ReplayRequested,
        MetricRecorded,
        GoalReached,
        ReportReady,
        SurveySent,
        SurveyAnswered,
        QualityReviewed,
        MessageRequested,
        NotificationRequested,
    ),
)

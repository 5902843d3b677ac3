"""Keeps the archive's monthly partitions ahead of time."""

from datetime import timedelta

from flotilla.app import App
from flotilla.bus.declare import Worker

from flotilla_analytics.store.archive import KEEP_PARTITIONS


async def keep_partitions(app: App) -> None:
    """Make the partitions of this month and the next ones where they are missing."""
    await app.db.execute(KEEP_PARTITIONS)


partitions = Worker("archive-partitions", every=timedelta(hours=6), run=keep_partitions)

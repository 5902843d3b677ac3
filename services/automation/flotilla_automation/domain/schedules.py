"""Times that a rule waits for: cron expressions by the wall clock of a zone.

Where clocks are changed it is as in Debian's cron, which cronsim follows: a time that is skipped is due right after
the gap, one that comes twice is due the first time only; expressions with `*` hours or minutes are due by the hour as
it passes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from flotilla_automation.domain.reading import Mistakes

FIELDS: Final = 5
"""Minute, hour, day of the month, month, day of the week: no seconds."""
MOST_MISSED: Final = 1000
"""So many missed times are counted, not more."""


@dataclass(frozen=True, slots=True)
class Due:
    """A time that has come."""

    at: datetime
    missed: int
    """How many times before it came while nobody was there."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """`cron` by the wall clock of `time_zone`."""

    cron: str
    time_zone: str

    def after(self, moment: datetime) -> datetime | None:
        """The next time, in UTC; none where there is none within fifty years."""
        return next(self._times(moment), None)

    def due(self, first: datetime, now: datetime) -> Due:
        """The last time that has come, from `first` on, which has."""
        at, missed = first, 0
        for time in self._times(first):
            if time > now or missed == MOST_MISSED:
                break
            at, missed = time, missed + 1
        return Due(at, missed)

    def _times(self, moment: datetime) -> Iterator[datetime]:
        try:
            for time in CronSim(self.cron, moment.astimezone(ZoneInfo(self.time_zone))):
                yield time.astimezone(UTC)
        except (CronSimError, OverflowError):  # past the year 9999
            return


def read_schedule(raw: Any, mistakes: Mistakes) -> Schedule | None:
    """The schedule; what does not fit is noted."""
    if not isinstance(raw, dict) or set(raw) != {"cron", "time_zone"}:
        mistakes.add("/schedule", '{"cron": "0 9 * * 1-5", "time_zone": "Europe/Berlin"}')
        return None
    cron, zone = raw["cron"], raw["time_zone"]
    fits = True
    if not isinstance(zone, str) or zone not in available_timezones():
        mistakes.add("/schedule/time_zone", "a zone of the IANA data base, as Europe/Berlin")
        fits = False
    if not isinstance(cron, str) or len(cron) > 200 or len(cron.split()) != FIELDS:
        mistakes.add("/schedule/cron", "minute, hour, day of the month, month, day of the week")
        return None
    schedule = Schedule(" ".join(cron.split()), zone if fits else "UTC")
    try:
        CronSim(schedule.cron, datetime.now(UTC))
    except CronSimError as error:
        mistakes.add("/schedule/cron", str(error) or "no cron expression")
        return None
    if schedule.after(datetime.now(UTC)) is None:
        mistakes.add("/schedule/cron", "such a time never comes")
        return None
    return schedule

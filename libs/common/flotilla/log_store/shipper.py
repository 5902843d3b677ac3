"""Sends what the services write to the store of logs, at leisure: a batch a turn, and all of it, also what was written
while the store was away."""

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from flotilla.log_store.files import Line, Position, births, lines
from flotilla.log_store.index import LogIndex, StoreAwayError
from flotilla.log_store.positions import Positions

MOST_LINES: Final = 1000
"""Of a batch."""
PAUSE_SECONDS: Final = 1.0
"""Between looks at files that have nothing new."""
LONGEST_SECONDS: Final = 30.0
"""Between tries while the store is away."""
SWEEP_SECONDS: Final = 3600.0

log = structlog.get_logger()


@dataclass
class Shipper:
    """One fleet's; one process at a time."""

    index: LogIndex
    positions: Positions
    folder: Path
    services: tuple[str, ...]
    keep_days: int
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Until it is told to stop."""
        pause, away, swept = PAUSE_SECONDS, False, 0.0
        while not self.stopping.is_set():
            try:
                sent = self.turn()
                if (now := datetime.now(UTC)).timestamp() - swept > SWEEP_SECONDS:
                    swept = now.timestamp()
                    for day in self.index.forget(now.date(), self.keep_days):
                        log.info("logs.forgotten", day=day.isoformat())
            except StoreAwayError as error:
                if not away:
                    log.warning("logs.store_away", reason=str(error))
                away, pause = True, min(LONGEST_SECONDS, pause * 2)
                self.stopping.wait(pause)
                continue
            if away:
                log.info("logs.store_back")
            away, pause = False, PAUSE_SECONDS
            if sent < MOST_LINES:
                self.stopping.wait(pause)

    def turn(self) -> int:
        """Send a batch of what is new; how many lines. What is not kept for sure is sent again the next time."""
        found = births(
            {
                service: [self.folder / f"{service}.log.1", self.folder / f"{service}.log"]
                for service in self.services
            }
        )
        batch: list[Line] = []
        read: dict[str, Position] = {}
        for birth, (service, path) in found.items():
            for line in lines(birth, service, path, self.positions.of(birth)):
                if len(batch) >= MOST_LINES:
                    break
                batch.append(line)
                read[birth] = line.position
        if not batch:
            return 0
        if refused := self.index.write(batch):
            log.warning("logs.refused", lines=refused)
        self.positions.keep(read, found)
        return len(batch)

"""`python -m flotilla.log_store`: sends a fleet's logs to Elasticsearch until SIGTERM."""

import os
import signal
from pathlib import Path
from typing import Final

import structlog
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from flotilla.log_store.index import LogIndex
from flotilla.log_store.positions import Positions
from flotilla.log_store.shipper import Shipper
from flotilla.security.tls import trusting
from flotilla.telemetry import logs

NICENESS: Final = 10
"""Everybody else goes first."""

log = structlog.get_logger()


class ShipperSettings(BaseSettings):
    """What it is told."""

    model_config = SettingsConfigDict(env_prefix="FLOTILLA_", extra="ignore", frozen=True)

    elasticsearch_url: str
    documents_prefix: str = "flotilla"
    """Indices are named `<prefix>-logs-<day>`."""
    logs_folder: Path
    """Where each service writes `<service>.log`."""
    logs_services: str
    """Whose, with commas between them."""
    logs_positions: Path
    """The file that says how far each was read."""
    logs_keep_days: int = Field(default=14, ge=1)
    """Older days are removed."""
    log_level: str = "INFO"
    tls_ca_file: Path | None = None


def main() -> None:
    """Run it."""
    told = ShipperSettings()
    logs.configure("log-shipper", told.log_level)
    os.nice(NICENESS)
    index = LogIndex(
        told.elasticsearch_url,
        told.documents_prefix,
        trusting(told.tls_ca_file) if told.tls_ca_file else None,
    )
    shipper = Shipper(
        index,
        Positions(told.logs_positions),
        told.logs_folder,
        tuple(told.logs_services.split(",")),
        told.logs_keep_days,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: shipper.stopping.set())
    log.info("logs.shipping", services=len(shipper.services))
    shipper.run()
    index.close()


if __name__ == "__main__":
    main()

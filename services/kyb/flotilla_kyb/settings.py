"""What kyb is told beside what every service is."""

from flotilla.settings import Settings


class KybSettings(Settings):
    """Where registers are, and how gently they are asked."""

    vies_address: str = "https://ec.europa.eu/taxation_customs/vies/rest-api"
    gleif_address: str = "https://api.gleif.org/api/v1"
    vies_interval_seconds: float = 0.5
    """At least so long between two requests, of all processes together."""
    gleif_interval_seconds: float = 1.1
    """GLEIF takes 60 requests a minute."""
    source_seconds: float = 15.0
    """How long a register may take to answer a request."""
    busy_seconds: float = 5.0
    """What is waited where a register says that it is busy and not for how long."""
    check_seconds: float = 120.0
    """When a check ends without the registers that have not answered by then."""
    retry_seconds: float = 5.0
    """What the second try of a check waits; each further one waits four times as long."""
    retries: int = 2
    recheck_seconds: float = 300.0
    """When a check that a register left unanswered is repeated; each further time four times as long."""

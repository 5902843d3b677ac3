"""The demo organization, made as anybody would make it: through the gateway's public API, and nothing else.

    demo = await seed("http://127.0.0.1:8080", telegram_url="http://127.0.0.1:8090")

Customers write through Telegram and a shop's own program, both simulated, to the real webhooks. Everything is looked
for before it is made, so a second run makes nothing twice, and undoes nothing that people did meanwhile.
"""

from flotilla.seed.demo import Demo, seed
from flotilla.seed.gateway import SeedError

__all__ = ["Demo", "SeedError", "seed"]

"""An archive that grows: what is appended, sealed, folded, and asked for."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from flotilla.ids import new_id
from flotilla_analytics.workers.metrics import fold_next
from flotilla_analytics.workers.sealer import seal_next

from bench.scale.meter import Meter, show
from bench.scale.organizations import received

BATCH: Final = 200
TIMES: Final = 10
ORGANIZATIONS: Final = 10
STRETCH: Final = 200_000
"""Events written by one statement."""
# As the archive's own writer leaves them, over the last month: ids of version 7 of their time.
FILL: Final = """
WITH made AS (
    SELECT n, ($2::uuid[])[1 + n % cardinality($2::uuid[])] AS org,
           now() - interval '30 days' * (1 - (n + 1)::float8 / $3::float8) AS time
    FROM generate_series($1::bigint, $1::bigint + $4::bigint - 1) AS n
), named AS (
    SELECT *, (lpad(to_hex((extract(epoch FROM time) * 1000)::bigint), 12, '0') || '7'
               || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid AS id
    FROM made
), kept AS (
    INSERT INTO analytics.archive (organization_id, id, type, source, subject, time, sequence, region,
                                   correlation_id, actor, audience, data)
    SELECT org, id, (ARRAY['message.received.v1', 'message.analyzed.v1', 'contact.updated.v1', 'deal.updated.v1',
                           'task.created.v1', 'ai.draft.generated.v1', 'channel.message.received.v1',
                           'message.sent.v1'])[1 + n % 8],
           '/flotilla/messaging', md5((n / 8)::text)::uuid::text, time, 1, 'eu', md5((n / 8)::text)::uuid,
           'user:' || md5((n % 997)::text)::uuid, 'org',
           jsonb_build_object('message_id', id, 'conversation_id', md5((n / 20)::text)::uuid, 'position', n % 20,
                              'channel', 'telegram', 'language', 'en', 'intent', 'delivery', 'ai_enabled', true)
    FROM named ORDER BY id
    RETURNING organization_id, id
)
INSERT INTO analytics.ledger (position, event_id, organization_id, hash)
SELECT $1::bigint + row_number() OVER (ORDER BY id), id, organization_id, sha256(id::text::bytea) FROM kept"""
HEAD: Final = """
INSERT INTO analytics.blocks (position_from, position_to, previous_hash, content, hash)
SELECT $1::bigint + 1, $2::bigint, '\\x00', '\\x00', sha256('\\x00')"""
CURSORS: Final = """
INSERT INTO analytics.cursors (name, position)
SELECT name, $1::bigint FROM unnest(ARRAY['metrics', 'sales', 'search']) AS name
ON CONFLICT (name) DO UPDATE SET position = excluded.position"""


async def grow(sizes: Sequence[int]) -> None:
    """Filled by statements in the archive's own form; measured through its own writers and routes."""
    title = f"An archive grows ({ORGANIZATIONS} organizations, batches of {BATCH})"
    async with Meter.of("analytics") as meter:
        await meter.execute("SET search_path = analytics, analytics_bus, extensions, public")
        orgs = [new_id() for _ in range(ORGANIZATIONS)]
        filled = 0
        for size in sizes:
            filled = await _fill(meter, orgs, filled, size)
            await meter.settle_statistics()
            rows = [[f"{size:,}", *cells] for cells in await _measured(meter, orgs)]
            show(title, ("events", "what"), rows)  # at once: the next size may take long to fill
            filled = await _head(meter)


async def _fill(meter: Meter, orgs: Sequence[UUID], filled: int, size: int) -> int:
    while filled < size:
        count = min(STRETCH, size - filled)
        await meter.execute(FILL, filled, list(orgs), size, count)
        await meter.execute(HEAD, filled, filled + count)
        filled += count
    await meter.execute(CURSORS, filled)
    return filled


async def _head(meter: Meter) -> int:
    return int(await meter.app.db.fetchval("SELECT max(position) FROM ledger"))


async def _measured(meter: Meter, orgs: Sequence[UUID]) -> list[list[str]]:
    org = orgs[0]

    async def append() -> None:
        await meter.handle("archive", [(orgs[each % len(orgs)], received()) for each in range(BATCH)])

    events = "/v1/archive/events?limit=50"
    newest = await meter.get(org, events)
    actor = newest["items"][0]["actor"]
    half_a_month_ago = datetime.now(UTC) - timedelta(days=15)
    middle = f"{events}&to={half_a_month_ago:%Y-%m-%dT%H:%M:%SZ}"
    found = [
        ("an event appended", (await meter.cost(append, TIMES)).per(BATCH)),
        ("an event sealed", (await meter.cost(lambda: seal_next(meter.app.db, BATCH), TIMES - 1)).per(BATCH)),
        ("an event folded", (await meter.cost(lambda: fold_next(meter.app.db, BATCH), TIMES - 1)).per(BATCH)),
        ("newest page", await meter.cost(lambda: meter.get(org, events), TIMES)),
        ("page in the middle", await meter.cost(lambda: meter.get(org, middle), TIMES)),
        ("newest of an actor", await meter.cost(lambda: meter.get(org, f"{events}&actor={actor}"), TIMES)),
        ("dashboard's metrics", await meter.cost(lambda: meter.get(org, _metrics()), TIMES)),
    ]
    return [[what, *cost.cells()] for what, cost in found]


def _metrics() -> str:
    today = datetime.now(UTC).date()
    days = f"from={today - timedelta(days=30)}&to={today + timedelta(days=1)}"
    return f"/v1/analytics/metrics?metric=message_volume&{days}"

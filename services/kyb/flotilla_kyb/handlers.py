"""What kyb does when others tell something: who waits for a decision has the registers asked."""

from collections.abc import Sequence

from flotilla.bus.declare import reaction
from flotilla.bus.envelope import Received
from flotilla.events.kyb import CounterpartyDecisionRequested
from flotilla.store.postgres import Transaction

from flotilla_kyb.deciding import decide_waiting
from flotilla_kyb.starting import start_check
from flotilla_kyb.store import counterparties, onboardings
from flotilla_kyb.work import ACTOR


@reaction(CounterpartyDecisionRequested, lane="sagas")
async def ask_for_decision(tx: Transaction, batch: Sequence[Received[CounterpartyDecisionRequested]]) -> None:
    """Ask the registers; the end of their check decides, or a person does."""
    for event in sorted(batch, key=lambda event: (event.org, event.data.counterparty_id)):
        wish = event.data
        counterparty = await counterparties.read(tx, event.org, wish.counterparty_id, lock=True)
        row = await tx.fetchrow(onboardings.ASK, event.org, wish.onboarding_id, wish.request_id)
        if counterparty is None or row is None:
            continue
        tx.caused_by(event.cause)
        check = await start_check(tx, event.org, counterparty, "asked", actor=ACTOR)
        if check.state == "ended":  # no register covers it: what is known is all that there is
            found = await counterparties.read(tx, event.org, counterparty.id)
            assert found is not None
            await decide_waiting(tx, event.org, found)

"""Flows in which several services must agree, and what was done is undone where one does not.

    deal_won = SagaKind(
        "deal_won",
        context=DealWon,
        steps=(
            Step("invoice", wish=..., granted=InvoiceIssued, refused=InvoiceFailed,
                 undo=Undo(wish=..., granted=InvoiceVoided, refused=InvoiceVoidFailed)),
            ...
        ),
        done=close_deal, undone=put_back,
    )
    service = Service(..., sagas=(deal_won,), handlers=(..., deal_won.facts), timers=(..., deal_won.timer))

The service's migration calls `make_saga_tables()`; a service that grants wishes which can be taken back calls
`make_wish_table()` and uses `flotilla.sagas.wishes`. What may happen to a saga is in `flotilla.sagas.machine`.
"""

from flotilla.sagas.declare import End, SagaKind, Step, Undo

__all__ = ["End", "SagaKind", "Step", "Undo"]

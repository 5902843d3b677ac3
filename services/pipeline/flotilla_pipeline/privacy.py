"""What pipeline holds of people, and how it is forgotten."""

from typing import Final

from flotilla.privacy import Privacy, Rows

ERASED: Final = "'[erased]'"

privacy: Final = Privacy(
    rows=(
        Rows("contacts", contact=("id",), clear={"name": "NULL"}),
        Rows(
            "deals",
            contact=("contact_id", "let_go_of"),
            clear={
                "title": ERASED,
                "loss_reason": f"CASE WHEN t.loss_reason IS NOT NULL THEN {ERASED} END",
            },
        ),
        Rows("moves", via=(("deal_id", "deals"),), clear={"reason": "NULL"}),
    ),
    harmless={
        "companies": "names of companies",
        "holds": "why deals are held, as services say it",
        "pipelines": "what an organization calls its pipelines",
        "stages": "what an organization calls its stages",
        "users": "roles",
    },
)

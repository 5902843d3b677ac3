"""What campaign holds of people, and how it is forgotten."""

from typing import Final

from flotilla.privacy import Privacy, Rows
from flotilla.privacy.keep import Keep

privacy: Final = Privacy(
    rows=(
        Rows("enrolments", contact=("contact_id",), clear={"fields": "'{}'"}),
        Rows("sends", contact=("contact_id",), clear={"links": "'{}'"}),
        Rows("campaign_people", contact=("contact_id",), key=None),
        Rows("segment_members", contact=("contact_id",)),
        Rows("marketing_consents", contact=("contact_id",)),
        Rows("contact_regions", contact=("contact_id",), key=None),
    ),
    keeps=(
        Keep("outreach", "sends", where="t.links <> '{}'", clear={"links": "'{}'"}),
        Keep(
            "outreach",
            "enrolments",
            where="t.ended_at < $2 AND t.fields <> '{}'",
            clear={"fields": "'{}'"},
        ),
    ),
    harmless={
        "organization_zones": "names of time zones",
        "suppressions": "that somebody wants no more, by id: what stands against writing to them again",
        "sequences": "what an organization writes to many",
        "sequence_versions": "what an organization writes to many",
        "campaigns": "what an organization calls its campaigns",
        "experiments": "numbers",
        "consent_rules": "names of regions, and why an organization goes by them",
        "effects": "kinds and states",
        "touches": "that something was opened",
    },
)

"""Calendars of people: what shall stand in them and what others have changed there (INT-9).

    writing ──▶ standing ──▶ deleting ──▶ deleted
       │ └──────────────────▶┘  │
       └──▶ failed     standing ◀┘

An event is written and deleted by jobs that may be repeated: its address is made of its id, it is put only where
nothing has that address, and what is gone already is no error. A wish that is taken back while it is being written is
answered once the calendar is clean.
"""

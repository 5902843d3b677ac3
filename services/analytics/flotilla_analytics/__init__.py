"""analytics owns the read side: the archive of every event, and what is folded from it.

The archive keeps each event once, with what is personal in it sealed under a key of that person's own; a
sealer gives the events gapless positions and chains them by hash. Metrics, sales figures and search are folded over
those positions, so they are exact under any replay. Journeys and the audit log are views of the archive.

It also owns what people make of the numbers: metrics they define themselves, goals, reports, surveys that customers
answer, and reviews of how conversations were led. docs/metrics.md defines them.
"""

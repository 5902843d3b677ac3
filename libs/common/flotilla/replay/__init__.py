"""Replay: projections built anew from the archive, beside the ones that stand, and put in their place.

    wire     what goes from the archive to whoever reads it: stretches of positions with their events
    plan     which projections a service has that can be built anew, and what a wish makes of them
    twins    the shadow tables, made by `flotilla migrate`
    gate     what the live lanes do while a replay is open: every event into both generations
    store    the row of a replay, its notices and differences
    opening  a replay begins: the shadow is empty, the live lanes know
    filling  stretches go into the shadow
    swap     the generations change places
    loops    the consumer and the worker that do this in every process of the service

docs/replay.md has the whole story, and why no event is lost between the two ways in.
"""

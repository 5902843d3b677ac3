"""The archive read again, for services that build projections anew and for who asks for events from a position.

    wishes      what is asked for and what the services answer: the reactions
    openings    the first message of a replay, to the service that is to do it
    readings    the job that sends stretches, its cursor saved behind each
    stretches   which positions and events make the next stretch
    queues      publishing to a service's own queue, confirmed, not too far ahead of who reads it

flotilla/replay/wire.py says what a stretch is, docs/replay.md how it all goes.
"""

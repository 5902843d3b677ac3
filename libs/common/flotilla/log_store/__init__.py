"""One place for a fleet's logs: Elasticsearch, an index a day, where `flotilla logs --since` looks.

A process beside the services (`python -m flotilla.log_store`) reads what they write and sends it on. It is no service:
it hears and tells no events, and whatever becomes of it, nobody waits. Under an orchestrator the platform's own shipper
does this, from the services' standard output, with the same names of fields.
"""

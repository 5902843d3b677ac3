"""The flows that bench/bus.py measures, one a file; each publishes, then consumes, the same events."""

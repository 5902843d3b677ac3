"""Rules and types of the read side; no I/O."""

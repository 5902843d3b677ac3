"""Rules and types of kyb; no I/O."""

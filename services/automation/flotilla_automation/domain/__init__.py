"""Rules, what they look at, and their runs; no I/O."""

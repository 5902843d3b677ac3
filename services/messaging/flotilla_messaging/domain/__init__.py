"""Rules of conversations and messages; no I/O."""

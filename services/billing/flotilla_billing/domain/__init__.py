"""Rules of billing, without any I/O."""

"""The rules of crm: pure, no I/O."""

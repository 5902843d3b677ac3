"""The ai service's rows: SQL, and what is read out of it."""

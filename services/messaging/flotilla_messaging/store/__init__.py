"""SQL and documents of messaging."""

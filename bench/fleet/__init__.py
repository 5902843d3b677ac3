"""A whole fleet under load, and what it spends."""

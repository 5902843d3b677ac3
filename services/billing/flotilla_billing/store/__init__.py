"""billing's SQL."""

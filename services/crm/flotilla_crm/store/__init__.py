"""crm's SQL."""

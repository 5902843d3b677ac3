"""SQL of partners."""

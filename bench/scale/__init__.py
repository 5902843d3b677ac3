"""What grows, and what it costs then."""

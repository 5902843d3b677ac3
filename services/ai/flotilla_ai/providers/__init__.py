"""Models elsewhere that answer for an organization."""

"""Auth owns organizations, the people in them, their sessions and roles, and the keys that sign access tokens."""

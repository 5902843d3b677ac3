"""Whom the gateway believes: tokens, sessions that ended, suspended organizations, signed principals."""

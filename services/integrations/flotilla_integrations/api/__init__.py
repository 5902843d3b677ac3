"""Accounts, connectors and hooks over HTTP."""

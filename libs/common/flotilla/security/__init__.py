"""Principals, permissions, sealing."""

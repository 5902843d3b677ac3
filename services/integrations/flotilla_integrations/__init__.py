"""Integrations owns connected accounts and what comes in and goes out through them.

An adapter a connector, all of one protocol (`adapters/base.py`); adding one is one folder under adapters/. What
comes in is verified, given ids that a repetition gives again, and committed before the webhook is answered. What
goes out is sent in the order of its conversation; where nobody knows whether it went out, it says so.
"""

"""The gateway: the one door. It knows who asks, how often they may, and which service answers.

It owns no business data: only copies of what it needs to decide (signing keys, ended sessions, suspended
organizations, changed roles), the rate-limit counters in Redis, and the pages at /docs and /problems.
Bodies pass through it in both directions without being read.
"""

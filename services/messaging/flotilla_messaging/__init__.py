"""Messaging owns conversations and the messages in them.

One conversation per (account, chat) for ever, reopened when the customer writes again; messages in a gapless
order of positions; the states of what goes out, which only move forward. Postgres is the authority on what
exists, in which order and state; the document store keeps the bodies.
"""

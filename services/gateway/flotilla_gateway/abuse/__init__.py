"""Callers of whom nobody wants more: watched, blocked for a while, told of; and work for those who may be such."""

"""Proxies before the same upstream: how each is started, and the load they are given."""

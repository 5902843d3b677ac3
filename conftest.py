"""Fixtures of the whole workspace stand in `flotilla.testing.plugin`."""

pytest_plugins = ["flotilla.testing.plugin"]

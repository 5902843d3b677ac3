"""What tests stand on: real servers of the `test` instance, isolated by worker and service."""

from flotilla.testing.eventually import eventually
from flotilla.testing.harness import Client, Harness
from flotilla.testing.spy import Spy

__all__ = ["Client", "Harness", "Spy", "eventually"]

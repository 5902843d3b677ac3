"""Servers as programs of this machine: nodes of the project's own, apart from any the system runs."""

from flotilla.instance import Instance
from flotilla.native.documents import Documents
from flotilla.native.elasticsearch import Elasticsearch
from flotilla.native.postgres import Postgres
from flotilla.native.rabbitmq import RabbitMQ
from flotilla.native.redis import Redis
from flotilla.servers import Server


def servers(instance: Instance) -> list[Server]:
    """The instance's servers; they can start in any order and at once."""
    needed: list[Server] = [Postgres(instance), RabbitMQ(instance), Redis(instance), Documents(instance)]
    return [*needed, Elasticsearch(instance)] if instance.file.elasticsearch else needed

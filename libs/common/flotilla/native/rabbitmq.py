"""RabbitMQ: a node of the project's own beside, and apart from, any that the system runs.

Nothing of /etc/rabbitmq is read. Its port mapper (epmd) would outlive the node, so it is started first, as a
process with a record of its own, and stopped with it.
"""

from pathlib import Path
from typing import Final

from flotilla.bus.connection import BROKER_ERRORS, connect
from flotilla.instance import HOST, Instance
from flotilla.native import apt
from flotilla.native.node import PLAIN_ENVIRONMENT, START_SECONDS, Node, listens
from flotilla.servers import ServerStatus

PROGRAM: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_EPMD: Final = Path("/usr/bin/epmd")
_MAPPER: Final = "epmd"
_ERLANG: Final = (
    # Two cores are enough, and each scheduler has allocators of its own. One costs a tenth less on a machine of two,
    # but is one of many who want a core, and messages wait for it.
    "+S 2:2 "
    "+sbwt none +sbwtdcpu none +sbwtdio none "  # idle schedulers sleep instead of spinning
    "-kernel inet_dist_use_interface {127,0,0,1}"
)


class RabbitMQ(Node):
    """The instance's RabbitMQ, with its management plugin."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance, "rabbitmq", instance.ports.rabbitmq)

    async def install(self) -> None:
        await apt.ensure(PROGRAM, "rabbitmq-server")

    async def start(self) -> None:
        ports = self._instance.ports
        environment = self._configure()
        if not self._processes.alive(_MAPPER):
            self._claim(ports.epmd)
            self._processes.start(_MAPPER, [_EPMD], environment)
        if not self._processes.alive(self.name):
            for port in (ports.rabbitmq, ports.rabbitmq_distribution, ports.rabbitmq_management):
                self._claim(port)
            self._processes.start(self.name, [PROGRAM], environment, cwd=self._folder)
        await self._processes.wait_ready(self.name, self._answers, START_SECONDS)

    async def stop(self) -> bool:
        was_running = await super().stop()
        await self._processes.stop(_MAPPER)
        return was_running

    def status(self) -> ServerStatus:
        status = super().status()
        address = f"{status.address}, management {HOST}:{self._instance.ports.rabbitmq_management}"
        return ServerStatus(status.name, status.state, address, status.pid, status.memory)

    async def _answers(self) -> bool:
        """The listeners open last, after the vhosts have recovered their queues and the plugins run."""
        if not await listens(self._port):
            return False  # the client library would log an error at every refusal
        try:
            connection = await connect(self._instance.amqp_url)
        except BROKER_ERRORS:
            return False
        await connection.close()
        return True

    def _configure(self) -> dict[str, str]:
        folder = self._make_folder()
        ports = self._instance.ports
        configuration = self._render(
            "rabbitmq.conf",
            folder / "rabbitmq.conf",
            port=ports.rabbitmq,
            management_port=ports.rabbitmq_management,
            password=self._instance.secrets.rabbitmq,
            vhost=self._instance.file.vhost,
            **(self._certificate() if self._instance.tls else {}),
        )
        plugins = folder / "enabled_plugins"
        plugins.write_text("[rabbitmq_management].\n")
        return {
            **PLAIN_ENVIRONMENT,
            "HOME": str(folder),  # its Erlang cookie
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_EPMD_PORT": str(ports.epmd),
            "RABBITMQ_NODENAME": f"flotilla_{self._instance.name}@localhost",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(configuration),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_DIST_PORT": str(ports.rabbitmq_distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _ERLANG,
            # The script then becomes the node itself: its record names the node and SIGTERM reaches it.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

"""The command line of the simulator."""

import argparse
import asyncio
import contextlib
from pathlib import Path

from flotilla.testing.simulators.telegram.server import TelegramSimulator


async def serve(port: int, state: Path | None) -> None:
    """Run until interrupted."""
    async with TelegramSimulator.running(port=port, any_token=True, state=state) as simulator:
        print(f"The Bot API is simulated on {simulator.address}", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description="Telegram's Bot API, simulated on this machine.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, help="a file that keeps webhooks from run to run")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(arguments.port, arguments.state))


if __name__ == "__main__":
    main()

"""A local server that speaks Telegram's Bot API (core.telegram.org/bots/api), as its self-hosted server does.

Methods: getMe, setWebhook, getWebhookInfo, deleteWebhook, sendMessage, sendChatAction, with the documented errors. It
keeps what it was sent, delivers updates to the webhook until they are accepted, and misbehaves when told to.

    async with TelegramSimulator.running() as telegram:
        token = telegram.add_bot()
        telegram.misbehave(Drop())                      # the next sendMessage is taken, its answer lost
        await telegram.customer_writes(token, chat=77, text="Hello")

`python -m flotilla.testing.simulators.telegram --port 9081` runs it for development: any well-formed token is a
bot, and /simulator/ says and does the same over HTTP.
"""

from flotilla.testing.simulators.telegram.bots import Bot, Drop, Fail, Flood, Hang, Misbehaviour, Sent
from flotilla.testing.simulators.telegram.server import TelegramSimulator

__all__ = ["Bot", "Drop", "Fail", "Flood", "Hang", "Misbehaviour", "Sent", "TelegramSimulator"]

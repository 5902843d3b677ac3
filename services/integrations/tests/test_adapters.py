"""What every adapter must do: one suite, inherited by each, against what its `proven_with` says."""

import json
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from flotilla.bus.declare import RetryLater
from flotilla.ids import new_id
from flotilla.problems import BadRequestError, UnauthorizedError, UnprocessableError
from flotilla.security import webhooks as signing
from flotilla.testing.simulators.telegram import Drop, Flood, Hang, TelegramSimulator
from flotilla_integrations.adapters import ADAPTERS
from flotilla_integrations.adapters.base import (
    CHANNEL,
    SEND_MESSAGE,
    AccountRefusedError,
    Adapter,
    HookRequest,
    NotReachedError,
    RefusedError,
    SendMessage,
    SentMessage,
    Surroundings,
    UnconfirmedError,
)

from services.integrations.tests.conftest import HOOK, SECRET

CUT, HANG = 0, -1  # what a program of conftest's does with the next request


def message(text: str = "Hello") -> SendMessage:
    return SendMessage(message_id=new_id(), chat="77", text=text)


def request(body: bytes, headers: dict[str, str]) -> HookRequest:
    return HookRequest(headers, body, datetime.now(UTC))


class Conformance(ABC):
    """The suite. A subclass gives the `other_side`, a fixture, and says how to make it do things."""

    connector: str
    vendor: Any

    @pytest.fixture
    async def adapter(self, around: Surroundings, other_side: Any) -> Adapter[Any]:
        """Connected."""
        self.vendor = other_side
        kind = ADAPTERS[self.connector]
        adapter = kind(around)
        await adapter.connect(kind.config_type.model_validate(self.config()))
        return adapter

    @abstractmethod
    def config(self) -> dict[str, Any]: ...
    @abstractmethod
    def lose_answer(self) -> None: ...
    @abstractmethod
    def never_answer(self) -> None: ...
    @abstractmethod
    def flood(self) -> None: ...
    @abstractmethod
    def refuse_account(self) -> None: ...
    @abstractmethod
    def refuse_message(self) -> None: ...
    @abstractmethod
    def taken(self) -> list[str]: ...
    @abstractmethod
    def inbound(self, text: str) -> bytes: ...
    @abstractmethod
    def headers(self, body: bytes) -> dict[str, str]: ...
    async def test_it_declares_itself(self, adapter: Adapter[Any]) -> None:
        schema = adapter.config_type.model_json_schema()
        assert set(schema["properties"]) == {"settings", "credentials"}
        assert adapter.actions[SEND_MESSAGE].data is SendMessage
        assert adapter.title
        assert adapter.proven_with
        with pytest.raises(ValueError, match="no action"):
            await adapter.execute("dance", message())

    async def test_it_sends(self, adapter: Adapter[Any]) -> None:
        sent = await adapter.execute(SEND_MESSAGE, message("Привіт 👋"))
        assert isinstance(sent, SentMessage)
        assert sent.external_id
        assert self.taken() == ["Привіт 👋"]

    async def test_a_lost_answer_is_unconfirmed(self, adapter: Adapter[Any]) -> None:
        for lose in (self.lose_answer, self.never_answer):
            lose()
            with pytest.raises(UnconfirmedError):
                await adapter.execute(SEND_MESSAGE, message("once"))
        assert self.taken() == ["once", "once"]

    async def test_what_was_not_reached_did_nothing(self, adapter: Adapter[Any]) -> None:
        adapter.use(self.elsewhere(adapter.config, "http://127.0.0.1:9"))
        with pytest.raises(NotReachedError):
            await adapter.execute(SEND_MESSAGE, message())
        assert self.taken() == []

    @abstractmethod
    def elsewhere(self, config: Any, address: str) -> Any: ...

    async def test_a_flood_wait_is_honoured(self, adapter: Adapter[Any]) -> None:
        self.flood()
        with pytest.raises(RetryLater) as asked:
            await adapter.execute(SEND_MESSAGE, message())
        assert asked.value.after.total_seconds() >= 1
        assert self.taken() == []

    async def test_a_refused_message_is_refused_in_words(self, adapter: Adapter[Any]) -> None:
        self.refuse_message()
        with pytest.raises(RefusedError) as refused:
            await adapter.execute(SEND_MESSAGE, message())
        assert not isinstance(refused.value, AccountRefusedError)
        assert str(refused.value).endswith(".")

    async def test_refused_credentials_are_the_accounts_failure(self, adapter: Adapter[Any]) -> None:
        assert (await adapter.health()).ok
        self.refuse_account()
        for call in (adapter.execute(SEND_MESSAGE, message()), adapter.health()):
            with pytest.raises(AccountRefusedError) as refused:
                await call
            assert "AAAA" not in str(refused.value)

    async def test_a_message_comes_in(self, adapter: Adapter[Any]) -> None:
        body = self.inbound("Wo ist mein Paket?")
        intake = await adapter.webhook(request(body, self.headers(body)))
        (found,) = intake.messages
        assert (found.text, found.chat, found.sender.address) == ("Wo ist mein Paket?", "77", "77")
        assert (await adapter.webhook(request(body, self.headers(body)))).messages == intake.messages

    async def test_what_is_forged_is_refused(self, adapter: Adapter[Any]) -> None:
        body = self.inbound("x")
        wrong = {name: value[:-1] + "?" for name, value in self.headers(body).items()}
        for headers in ({}, wrong):
            with pytest.raises(UnauthorizedError):
                await adapter.webhook(request(body, headers))

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"\xff\xfe{}", b'{"type": "\xc3("}', b"[]", b"null", b'{"type":1}']
    )
    async def test_what_is_malformed_is_told_so(self, adapter: Adapter[Any], body: bytes) -> None:
        with pytest.raises((BadRequestError, UnprocessableError)):
            await adapter.webhook(request(body, self.headers(body)))

    async def test_a_lone_surrogate_never_comes_through(self, adapter: Adapter[Any]) -> None:
        body = self.inbound("MARK").replace(b"MARK", b"\\ud800")
        with pytest.raises((BadRequestError, UnprocessableError)):
            await adapter.webhook(request(body, self.headers(body)))

    async def test_it_disconnects_twice(self, adapter: Adapter[Any]) -> None:
        await adapter.disconnect()
        await adapter.disconnect()


class TestTelegram(Conformance):
    connector = "telegram"

    @pytest.fixture
    def other_side(self, telegram: TelegramSimulator) -> TelegramSimulator:
        self.token = telegram.add_bot()
        telegram.bots[self.token].chats.add(77)
        return telegram

    def config(self) -> dict[str, Any]:
        return {"credentials": {"token": self.token}}

    def lose_answer(self) -> None:
        self.vendor.misbehave(Drop())

    def never_answer(self) -> None:
        self.vendor.misbehave(Hang())

    def flood(self) -> None:
        self.vendor.misbehave(Flood(3))

    def refuse_account(self) -> None:
        self.vendor.revoke(self.token)

    def refuse_message(self) -> None:
        self.vendor.block(self.token, 77)

    def taken(self) -> list[str]:
        return [each.text for each in self.vendor.sent if each.token == self.token]

    def inbound(self, text: str) -> bytes:
        return msgspec.json.encode(self.vendor.update(self.token, chat=77, text=text))

    def headers(self, body: bytes) -> dict[str, str]:
        return {"x-telegram-bot-api-secret-token": SECRET}

    def elsewhere(self, config: Any, address: str) -> Any:
        return config.model_copy(
            update={"settings": config.settings.model_copy(update={"api_base": address})}
        )

    async def test_the_bot_points_here_and_no_more(self, adapter: Adapter[Any]) -> None:
        bot = self.vendor.bots[self.token]
        assert (bot.url, bot.secret) == (HOOK, SECRET)
        await adapter.disconnect()
        assert bot.url == ""

    async def test_another_programs_webhook_is_left_alone_and_noticed(self, adapter: Adapter[Any]) -> None:
        self.vendor.bots[self.token].url = "https://example.org/other"
        assert not (await adapter.health()).ok
        await adapter.disconnect()
        assert self.vendor.bots[self.token].url == "https://example.org/other"

    @pytest.mark.parametrize(
        "more",
        [
            {"edited_message": {"message_id": 1}},
            {"callback_query": {"id": "1"}},
            {"message": {"message_id": 1, "date": 1, "chat": {"id": 7, "type": "private"}, "sticker": {}}},
            {"a_kind_of_next_year": {}},
        ],
    )
    async def test_other_kinds_are_unsupported_and_no_error(
        self, adapter: Adapter[Any], more: dict[str, Any]
    ) -> None:
        body = json.dumps({"update_id": 1, **more}).encode()
        intake = await adapter.webhook(request(body, self.headers(body)))
        assert intake.unsupported
        assert intake.messages == ()

    async def test_too_long_a_text_is_not_even_tried(self, adapter: Adapter[Any]) -> None:
        with pytest.raises(RefusedError, match="4096"):
            await adapter.execute(SEND_MESSAGE, message("👋" * 2049))
        assert self.taken() == []

    async def test_a_caption_is_a_text_and_nul_is_dropped(self, adapter: Adapter[Any]) -> None:
        update = self.vendor.update(self.token, chat=77, text="x")
        del update["message"]["text"]
        update["message"] |= {"caption": "see\x00 this", "photo": []}
        body = msgspec.json.encode(update)
        assert (await adapter.webhook(request(body, self.headers(body)))).messages[0].text == "see this"


class TestGeneric(Conformance):
    connector = "generic"

    @pytest.fixture
    def other_side(self, program: Any) -> Any:
        return program

    def config(self) -> dict[str, Any]:
        return {
            "settings": {"url": self.vendor.address},
            "credentials": {"secret": self.vendor.secret},
        }

    def lose_answer(self) -> None:
        self.vendor.answers.append(CUT)

    def never_answer(self) -> None:
        self.vendor.answers.append(HANG)

    def flood(self) -> None:
        self.vendor.answers.append(429)

    def refuse_account(self) -> None:
        self.vendor.secret = "whsec_" + "A" * 32

    def refuse_message(self) -> None:
        self.vendor.answers.append(422)

    def taken(self) -> list[str]:
        return [text for _, text in self.vendor.messages]

    def inbound(self, text: str) -> bytes:
        data = {
            "id": "m-1",
            "chat": "77",
            "sender": {"address": "77", "name": "Iryna", "plan": "gold"},
            "text": text,
            "sent_at": "2026-03-01T12:00:00+02:00",
        }
        return json.dumps({"type": "message.received", "data": data}, ensure_ascii=False).encode()

    def headers(self, body: bytes) -> dict[str, str]:
        key = signing.key_of(self.vendor.secret)
        return signing.sign(key, "evt_1", int(datetime.now(UTC).timestamp()), body)

    def elsewhere(self, config: Any, address: str) -> Any:
        return config.model_copy(update={"settings": config.settings.model_copy(update={"url": address})})

    async def test_a_repetition_carries_the_same_key(self, adapter: Adapter[Any]) -> None:
        wanted = message("again")
        self.vendor.answers.append(503)
        with pytest.raises(UnconfirmedError):
            await adapter.execute(SEND_MESSAGE, wanted)
        await adapter.execute(SEND_MESSAGE, wanted)
        assert self.vendor.messages == [(str(wanted.message_id), "again")] * 2

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"text": "x" * 8001}, "/data/text"),
            ({"text": ""}, "/data/text"),
            ({"text": "a\x00b"}, "/data/text"),
            ({"sent_at": "2026-03-01T12:00:00"}, "/data/sent_at"),
            ({"sent_at": "3026-03-01T12:00:00Z"}, "/data/sent_at"),
            ({"sender": {}}, "/data/sender/address"),
            ({"id": 5}, "/data/id"),
        ],
    )
    async def test_values_that_do_not_fit_are_named(
        self, adapter: Adapter[Any], change: dict[str, Any], pointer: str
    ) -> None:
        said = json.loads(self.inbound("x"))
        said["data"] |= change
        body = json.dumps(said).encode()
        with pytest.raises(UnprocessableError) as refused:
            await adapter.webhook(request(body, self.headers(body)))
        assert [each["pointer"] for each in refused.value.errors] == [pointer]

    async def test_receipts_come_in_and_other_types_are_named(self, adapter: Adapter[Any]) -> None:
        said = {"message_id": str(new_id()), "occurred_at": "2026-03-01T12:00:00Z"}
        body = json.dumps({"type": "message.read", "data": said}).encode()
        (receipt,) = (await adapter.webhook(request(body, self.headers(body)))).receipts
        assert receipt.receipt == "read"
        body = b'{"type": "message.deleted", "data": {}}'
        with pytest.raises(UnprocessableError):
            await adapter.webhook(request(body, self.headers(body)))


def test_every_channel_has_its_suite() -> None:
    channels = {name for name, adapter in ADAPTERS.items() if adapter.kind == CHANNEL}
    assert {suite.connector for suite in Conformance.__subclasses__()} == channels

"""Personal data in a text: found by recognisers, replaced by placeholders, put back into the reply.

`[PHONE_1]` goes to a provider, never the number. The map back lives in the `Masked` it came with, in memory,
and is neither stored nor logged.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from phonenumbers import PhoneNumberMatcher


class Kind(StrEnum):
    """What kind of personal data."""

    CARD = "card"
    IBAN = "iban"
    NATIONAL_ID = "national_id"
    EMAIL = "email"
    PHONE = "phone"
    SECRET = "secret"  # noqa: S105 - a password that somebody wrote in a chat
    NAME = "name"


RESTORABLE: Final = frozenset({Kind.EMAIL, Kind.PHONE, Kind.NAME})
"""What a reply may repeat to the person who wrote it; card numbers and the like stay masked."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece of personal data, `text[start:end]`."""

    kind: Kind
    start: int
    end: int
    value: str
    """Without its spaces and dashes: the same however it is written."""


@dataclass(frozen=True)
class Masked:
    """A text with placeholders."""

    text: str
    counts: dict[str, int]
    """How many of each kind."""
    values: dict[str, str] = field(repr=False)
    """Placeholder to value, as it was written first; in memory only."""

    def restore(self, text: str) -> str:
        """A reply with the values back where they may be said, and without the placeholders that may not."""

        def back(match: re.Match[str]) -> str:
            if match[1].lower() in RESTORABLE:
                return self.values.get(match[0], match[0])
            return "•••" if match[0] in self.values else match[0]

        return PLACEHOLDER.sub(back, text)


PLACEHOLDER: Final = re.compile(r"\[([A-Z_]+?)_(\d+)\]")

_DIGITS: Final = r"\d(?:[ .\-\u00a0]?\d)"
_CARD: Final = re.compile(rf"(?<![\d.]){_DIGITS}{{12,18}}(?!\d)")
_IBAN: Final = re.compile(r"\b[A-Z]{2}\d{2}(?:[ \u00a0]?[A-Z0-9]{2,4}){3,8}\b", re.IGNORECASE)
_EMAIL: Final = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[^\W\d_]{2,24}\b")
_ID: Final = re.compile(r"(?<![\d.+-])\d(?:[ \u00a0]?\d){9,14}(?![\d-])")
_SECRET: Final = re.compile(
    r"\b(?:password|passwort|kennwort|пароль|пин-?код|пін-?код|mot de passe|pin|cvv|cvc)"
    r"(?:\s+(?:is|ist|est|это|це))?\s*[:=\-–]?\s*(?P<value>(?=\S{0,63}\d)\S{3,64})",
    re.IGNORECASE,
)
_NAME: Final = re.compile(
    r"\b(?i:my name is|i am called|mein name ist|ich heiße|je m['’]appelle|mon nom est|меня зовут|моё имя|"
    r"мене звати|моє ім['’]я|мене звуть)\s+(?P<value>[^\W\d_][\w'’-]+(?:\s+[A-ZÀ-ÖА-ЯЄІЇҐ][\w'’-]+){0,2})"
)
# Where numbers without a country code come from, by language: first the likeliest.
_REGIONS: Final = {
    "de": ("DE", "AT", "CH"),
    "fr": ("FR", "BE"),
    "uk": ("UA",),
    "ru": ("KZ", "RU"),
    "en": ("US", "GB"),
}
_FEWEST_DIGITS: Final = 7
_DIGIT: Final = re.compile(r"\d")
# A number without a country code after one of these names a thing, not a telephone.
_REFERENCE: Final = re.compile(
    r"(?:order|invoice|reference|ref|ticket|item|article|sku|bestell\w*|rechnung\w*|kunden\w*|artikel|auftrag\w*|"
    r"замовлення|рахун\w*|артикул|договір|заказ\w*|сч[её]т\w*|договор\w*|commande|facture|référence|dossier)"
    r"\W*(?:number|nummer|nr|no|номер|numéro|n°|№|#)?\W*$",
    re.IGNORECASE,
)
_DATE: Final = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}")


def find(text: str, language: str = "en", names: tuple[str, ...] = ()) -> list[Finding]:
    """What is personal in a text, without overlaps, in order. `names`: how the channel calls the sender."""
    taken: list[Finding] = []
    for recognise in _RECOGNISERS:
        for finding in recognise(text, language):
            _take(taken, finding)
    for finding in _known_names(text, names):
        _take(taken, finding)
    return sorted(taken, key=lambda finding: finding.start)


def mask(text: str, language: str = "en", names: tuple[str, ...] = ()) -> Masked:
    """The text with a placeholder for each; the same value gets the same placeholder."""
    findings = find(text, language, names)
    # A text may already hold something that looks like a placeholder: it must not be filled in later.
    numbers = Counter({match[1].lower(): int(match[2]) for match in PLACEHOLDER.finditer(text)})
    placeholders: dict[tuple[Kind, str], str] = {}
    values: dict[str, str] = {}
    pieces, end = [], 0
    for finding in findings:
        key = (finding.kind, finding.value)
        if key not in placeholders:
            numbers[finding.kind] += 1
            placeholders[key] = f"[{finding.kind.upper()}_{numbers[finding.kind]}]"
            values[placeholders[key]] = text[finding.start : finding.end]
        pieces += [text[end : finding.start], placeholders[key]]
        end = finding.end
    counts = Counter(str(finding.kind) for finding in findings)
    return Masked("".join([*pieces, text[end:]]), dict(counts), values)


def _take(taken: list[Finding], finding: Finding) -> None:
    if all(finding.end <= other.start or finding.start >= other.end for other in taken):
        taken.append(finding)


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit())


def _secrets(text: str, language: str) -> Iterator[Finding]:
    for match in _SECRET.finditer(text):
        value = match["value"].rstrip(".,;:")
        yield Finding(Kind.SECRET, match.start("value"), match.start("value") + len(value), value)


def _emails(text: str, language: str) -> Iterator[Finding]:
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield Finding(Kind.EMAIL, match.start(), match.end(), match[0])


def _ibans(text: str, language: str) -> Iterator[Finding]:
    from stdnum import iban

    for match in _IBAN.finditer(text):
        # The pattern may have run on into the next word: try shorter ends at its spaces.
        value = match[0]
        # Its own check digits are proof enough: a bank that no list knows is a bank all the same.
        while value and not iban.is_valid(value, check_country=False):
            value = value[: max(value.rfind(" "), value.rfind("\u00a0"), 0)]
        if value:
            yield Finding(Kind.IBAN, match.start(), match.start() + len(value), iban.compact(value))


def _cards(text: str, language: str) -> Iterator[Finding]:
    from stdnum import luhn

    for match in _CARD.finditer(text):
        number = _digits(match[0])
        # 2-6: the ranges that payment networks issue from (ISO/IEC 7812).
        if number[0] in "23456" and luhn.is_valid(number):
            yield Finding(Kind.CARD, match.start(), match.end(), number)


def _national_ids(text: str, language: str) -> Iterator[Finding]:
    for match in _ID.finditer(text):
        number = _digits(match[0])
        if any(valid(number) for valid in _id_checks()):
            yield Finding(Kind.NATIONAL_ID, match.start(), match.end(), number)


def _phones(text: str, language: str) -> Iterator[Finding]:
    if len(_DIGIT.findall(text)) < _FEWEST_DIGITS:
        return
    for region in (None, *_REGIONS.get(language, ())):
        for match in _phone_matcher()(text, region):
            before = text[max(match.start - 24, 0) : match.start]
            if region and (_DATE.fullmatch(match.raw_string) or _REFERENCE.search(before)):
                continue
            yield Finding(Kind.PHONE, match.start, match.end, _digits(match.raw_string))


def _introductions(text: str, language: str) -> Iterator[Finding]:
    for match in _NAME.finditer(text):
        yield Finding(Kind.NAME, match.start("value"), match.end("value"), match["value"])


def _known_names(text: str, names: tuple[str, ...]) -> Iterator[Finding]:
    folded = text.casefold()
    for name in names:
        # A pattern takes longer to compile than all the rest: only for a name that is there.
        if len(name) > 2 and name.casefold() in folded:
            # A single word only as it is written: somebody called Will says "will" too.
            flags = re.IGNORECASE if " " in name else re.NOFLAG
            for match in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text, flags):
                yield Finding(Kind.NAME, match.start(), match.end(), match[0])


# Whatever proves itself by a check digit comes before what only looks like a number.
_RECOGNISERS: Final[tuple[Callable[[str, str], Iterator[Finding]], ...]] = (
    _secrets,
    _emails,
    _ibans,
    _cards,
    _phones,
    _national_ids,
    _introductions,
)


@cache
def _id_checks() -> tuple[Callable[[str], Any], ...]:
    from stdnum.de import idnr
    from stdnum.fr import nir
    from stdnum.ru import inn
    from stdnum.ua import rntrc

    return (
        idnr.is_valid,
        nir.is_valid,
        lambda number: len(number) == 12 and inn.is_valid(number),
        rntrc.is_valid,
    )


@cache
def _phone_matcher() -> "type[PhoneNumberMatcher]":
    from phonenumbers import PhoneNumberMatcher

    return PhoneNumberMatcher

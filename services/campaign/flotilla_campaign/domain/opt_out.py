"""Messages that say nothing but: write to me no more."""

import re
import unicodedata
from typing import Final

LONGEST: Final = 60
"""Characters; a longer message says something else as well, and a person shall read it."""

ENGLISH: Final = """stop, stop all, stopall, unsubscribe, unsubscribe me, please unsubscribe, cancel, end, quit,
opt out, optout, remove me, please stop, stop messaging me, do not contact me, dont contact me"""
GERMAN: Final = """stopp, stoppen, abmelden, abbestellen, austragen, bitte abmelden, keine nachrichten mehr,
keine werbung, keine werbung mehr, bitte nicht mehr schreiben"""
FRENCH: Final = """arret, arreter, arretez, desabonner, desabonnement, me desabonner, desinscrire, desinscription,
me desinscrire, plus de messages, ne plus me contacter, ne mecrivez plus"""
UKRAINIAN: Final = """стоп, стоп розсилка, відписатися, відписатись, відписка, відпишіть мене, не пишіть,
не пишіть мені, не пишіть більше, більше не пишіть"""
RUSSIAN: Final = """отписаться, отписка, отпишите меня, отпиши, не пишите, не пишите мне, не пишите больше,
больше не пишите, хватит писать, прекратите писать"""


def _plain(text: str) -> str:
    """Lower case, without accents, apostrophes and punctuation, single spaces."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(each for each in apart if not unicodedata.combining(each) and each not in "'’ʼ")
    return " ".join(re.sub(r"[\W_]+", " ", letters).split())


PHRASES: Final = frozenset(
    _plain(phrase) for words in (ENGLISH, GERMAN, FRENCH, UKRAINIAN, RUSSIAN) for phrase in words.split(",")
)


def is_opt_out(text: str | None) -> bool:
    """Whether the whole message is one of the known phrases, in English, German, French, Ukrainian or Russian."""
    return bool(text) and len(text or "") <= LONGEST and _plain(text or "") in PHRASES

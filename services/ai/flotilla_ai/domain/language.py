"""Which of the configured languages a text is in.

Two opinions and a prior: py3langid over bytes, the trained model over words and n-grams, and what the channel
says of its user. Short greetings, where the first has nothing to go on, are decided by the other two.
"""

import gc
import mmap
import tempfile
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from flotilla_ai.domain.model import Ranking, sparse, trained
from flotilla_ai.domain.text import LONGEST_TEXT, Features, features_of

if TYPE_CHECKING:
    from array import array

    from py3langid.langid import LanguageIdentifier

LANGUAGES: Final = ("de", "en", "fr", "ru", "uk")
"""In the order of the trained model's head."""
UNDETERMINED: Final = "und"
"""ISO 639-2 for a text without words."""

_HINTED: Final = 8.0
"""How much likelier the channel's language is before a word is read."""
_FLOORS: Final = (1e-6, 0.05)
"""Least probability that an opinion may give: the trained model knows few words, so it never overrules."""


@dataclass(frozen=True, slots=True)
class Language:
    """An ISO 639-1 code and how sure it is, from 0 to 1."""

    code: str
    confidence: float


def detect(
    text: str, hint: str | None = None, features: Features | None = None, trained_one: Ranking | None = None
) -> Language:
    """The language of a text; `hint` is the sender's own as the channel knows it (`uk`, `de-AT`).

    `features` of the text, and what the trained model says of its language, where the caller has them.
    """
    features = features or features_of(text)
    known = (hint or "")[:2].lower()
    if not any(word.isalpha() for word in features.words):
        return Language(known, 0.5) if known in LANGUAGES else Language(UNDETERMINED, 0.0)
    opinion = (trained_one or trained().language.rank(sparse(features))).as_dict()
    by_bytes = _langid(text)
    odds = {
        code: max(by_bytes.get(code, 0.0), _FLOORS[0])
        * max(opinion.get(code, 0.0), _FLOORS[1])
        * (_HINTED if code == known else 1.0)
        for code in LANGUAGES
    }
    best = max(LANGUAGES, key=odds.__getitem__)
    return Language(best, round(odds[best] / sum(odds.values()), 4))


def _langid(text: str) -> dict[str, float]:
    return dict(_identifier().rank(text[:LONGEST_TEXT]))


@cache
def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # a second to load: not at import

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(LANGUAGES))
    # The tables of the other 90 languages are what it keeps only to be able to go back: 28 MB.
    identifier._full_model = None
    identifier.tk_nextmove = _mapped(identifier.tk_nextmove)
    gc.collect()
    return identifier


def _mapped(table: "array[int]") -> memoryview:
    """The automaton of all languages is 39 MB, of which five languages touch little: read it from a file."""
    assert table.typecode == "I"
    with tempfile.TemporaryFile() as file:
        table.tofile(file)
        file.flush()
        return memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)).cast("I")


def warm_up() -> None:
    """Load what the first message would wait a second for."""
    detect("warm up")

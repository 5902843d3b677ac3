"""How alike two names of a business are, whatever alphabet and legal form they are written with."""

import re
from typing import Final

from anyascii import anyascii
from rapidfuzz import fuzz

_WORDS: Final = re.compile(r"[a-z0-9]+")
_INITIALS: Final = re.compile(r"\b(?:[a-z]\.\s?){2,}")
_FORMS: Final = """
ltd limited llc llp plc inc incorporated corp corporation co company pty
gmbh mbh ag kg ohg ug se kgaa ek gbr haftungsbeschrankt
sa sas sasu sarl eurl sci snc sl slu srl srls spa sapa bv nv vof cv
ab oy oyj as asa aps is ivs ou uab sia
zoo sp doo dd ad ood eood kft zrt nyrt rt sro
tov tzov pat prat at fop ooo oao zao pao ao ip ike ae epe oe
"""
"""English; German; French, Spanish, Italian, Dutch; Nordic and Baltic; Central European; as transliterated."""
_LEGAL_FORMS: Final = frozenset(_FORMS.split())
_LONG_FORMS: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern), short)
    for pattern, short in (
        (r"\bgesellschaft mit beschrankter haftung\b", "gmbh"),
        (r"\baktiengesellschaft\b", "ag"),
        (r"\bkommanditgesellschaft\b", "kg"),
        (r"\bsociete par actions simplifiee\b", "sas"),
        (r"\bsociete a responsabilite limitee\b", "sarl"),
        (r"\bsociete anonyme\b", "sa"),
        (r"\bsociedad limitada\b", "sl"),
        (r"\bsociedad anonima\b", "sa"),
        (r"\bsocieta a responsabilita limitata\b", "srl"),
        (r"\bsocieta per azioni\b", "spa"),
        (r"\bbesloten vennootschap\b", "bv"),
        (r"\bnaamloze vennootschap\b", "nv"),
        (r"\bspolka z ograniczona odpowiedzialnoscia\b", "zoo"),
        (r"\btovaristvo z obmezhenoyu vidpovidalnistyu\b", "tov"),
        (r"\bobshchestvo s ogranichennoi otvetstvennostyu\b", "ooo"),
    )
)


def core(name: str) -> str:
    """The words that tell a business apart: in Latin letters, lower case, without its legal form."""
    plain = anyascii(name).casefold().replace("&", " and ").replace("'", "")
    plain = _INITIALS.sub(lambda initials: initials[0].replace(".", "").replace(" ", "") + " ", plain)
    for pattern, short in _LONG_FORMS:
        plain = pattern.sub(short, plain)
    words = _WORDS.findall(plain)
    telling = [word for word in words if word not in _LEGAL_FORMS and word != "and"]
    return " ".join(telling or words)


def likeness(one: str, other: str) -> float:
    """0 to 100; registers give several names with `||` between them, and the best counts."""
    ours = core(one)
    return max(fuzz.token_sort_ratio(ours, core(part)) for part in other.split("||"))

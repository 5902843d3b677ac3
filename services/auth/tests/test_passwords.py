"""Which passwords are refused."""

import pytest
from flotilla_auth.domain.passwords import COMMON, objection
from hypothesis import given
from hypothesis import strategies as st

EMAIL = "grace.hopper@northwind.example"


@pytest.mark.parametrize(
    "password",
    [
        "short words",
        "123456789012",
        "password1234",
        "P@ssw0rd2024!",
        "iloveyou!!!!!!!!",
        "qwertyuiop12",
        "QWERTYUIOPAS",
        "1qaz2wsx3edc",
        "aaaaaaaaaaaaaaaa",
        "abcdabcdabcd",
        "lkjhgfdsapoiu",
        "grace.hopper2024",
        "northwind is my work",
        "x" * 257,
    ],
)
def test_refused(password: str) -> None:
    assert objection(password, EMAIL) is not None


@pytest.mark.parametrize(
    "password",
    [
        "seven otters cross the river",
        "Kx9#vT2!pQ8z",
        "пять выдр плывут к морю",
        "correct horse battery staple",
        "七只水獺渡過一條寬闊的大河流",
        "password manager of my aunt",
    ],
)
def test_taken(password: str) -> None:
    assert objection(password, EMAIL) is None


WORDS = [word for word in sorted(COMMON) if word[0].isalpha() and word[-1].isalpha()]


@given(st.sampled_from(WORDS), st.integers(0, 10**12 - 1))
def test_a_common_word_with_a_number_behind_it_is_still_common(word: str, number: int) -> None:
    assert objection(f"{word.title()}{number:012}", EMAIL) is not None


@given(st.text(max_size=300), st.text(max_size=50))
def test_any_text_gets_an_answer(password: str, email: str) -> None:
    assert objection(password, email) != ""

"""What is heard in a message, and what a conversation's messages add up to; no servers."""

import random
from uuid import UUID, uuid4

import pytest
from flotilla_ai.domain.qualification import Entry, Question, Standing, findings_in, folded
from flotilla_ai.domain.qualification.lexicon import cues_in, words_in
from flotilla_ai.domain.qualification.patterns import amounts_in, dates_in
from flotilla_ai.domain.qualification.standing import MOST_ENTRIES


@pytest.mark.parametrize(
    ("text", "minor", "currency"),
    [
        ("about $12,000 a year", 1_200_000, "USD"),
        ("12.000,50 €", 1_200_050, "EUR"),
        ("up to 20k EUR", 2_000_000, "EUR"),
        ("12 000 euros par an", 1_200_000, "EUR"),
        ("1.5 million dollars", 150_000_000, "USD"),
        ("8 тис. євро", 800_000, "EUR"),
        ("20 000 грн на місяць", 2_000_000, "UAH"),
        ("30 тысяч долларов", 3_000_000, "USD"),
        ("2 Mio. CHF", 200_000_000, "CHF"),
        ("£4.90", 490, "GBP"),
    ],
)
def test_amounts(text: str, minor: int, currency: str) -> None:
    [amount] = amounts_in(text)
    assert (amount.minor, amount.currency) == (minor, currency)
    assert text[amount.start : amount.end].strip() in text


@pytest.mark.parametrize("text", ["25 agents", "order 48213", "+49 30 901820", "", "€", "9" * 400 + " EUR"])
def test_what_is_no_amount(text: str) -> None:
    assert amounts_in(text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("on 2027-03-01 at last", ["2027-03-01"]),
        ("до 15.03 або 1/9", ["15.03", "1/9"]),
        ("bis 30.6. im 3. Quartal, KW 12", ["30.6.", "3. Quartal", "KW 12"]),
        ("Q3 or 2 квартал", ["Q3", "2 квартал"]),
        ("24/7 for 4.90 and 12.50", []),
    ],
)
def test_dates(text: str, found: list[str]) -> None:
    assert [text[start:end] for start, end in dates_in(text)] == found


def test_a_phrase_is_found_where_it_stands_and_turned_by_a_negation() -> None:
    text = "Ми\u202fне маємо бюджету. I’m the owner"
    found = {text[cue.start : cue.end]: (cue.question, cue.negated) for cue in cues_in(words_in(text))}
    assert found["бюджету"] == (Question.BUDGET, True)
    assert found["owner"] == (Question.AUTHORITY, False)


def test_evidence_lies_within_any_text() -> None:
    for text in (
        "",
        " ",
        "?",
        "бюджет",
        "I own it. " * 2_000,
        "\x00",
        "𝔟𝔲𝔡𝔤𝔢𝔱 is 5 €",
        "We need it\n\nurgently",
    ):
        for finding in findings_in(text):
            assert finding.spans
            assert all(0 <= start < end <= len(text) for start, end in finding.spans)


def said(question: Question, position: int, favours: float, opposes: float = 0.0) -> Entry:
    """A message says something."""
    return Entry(question, uuid4(), position, favours, opposes, [(0, 4)], ["phrase"])


def test_entries_add_up_alike_in_any_order_and_any_number_of_times() -> None:
    chance = random.Random(7)
    entries = [
        said(chance.choice(list(Question)), position, chance.random(), chance.random() / 2)
        for position in range(60)
    ]
    wanted = folded([], entries)
    assert max(sum(e.question is question for e in wanted) for question in Question) == MOST_ENTRIES
    for _ in range(20):
        chance.shuffle(entries)
        kept: list[Entry] = []
        for entry in [*entries, *entries[:10]]:
            kept = folded(kept, [entry])
        assert kept == wanted
        assert Standing.of(kept) == Standing.of(wanted)


def test_the_last_word_weighs_most() -> None:
    yes, no = said(Question.BUDGET, 1, 0.95), said(Question.BUDGET, 2, 0.0, 0.95)
    assert Standing.of([yes]).letters[0].score == 95
    assert Standing.of([yes, no]).letters[0].score <= 5
    again = said(Question.BUDGET, 3, 0.95)
    assert Standing.of([yes, no, again]).letters[0].score >= 95
    assert Standing.of([yes, no]).letters[0].explanation == (
        "5 of 100: 1 message speaks for it and 1 message speaks against it, by a known phrase."
    )


def test_nothing_said_is_nothing() -> None:
    nothing = Standing.of([])
    assert (nothing.total, nothing.confidence, nothing.budget) == (0, 0.0, None)


def test_a_message_counts_once() -> None:
    entry = Entry(Question.NEED, UUID(int=1), 1, 0.6, 0.0, [(0, 4)], ["phrase"])
    assert folded([entry], [entry]) == [entry]

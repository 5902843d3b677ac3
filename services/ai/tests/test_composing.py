"""Chunks, search and composed replies, without servers."""

from uuid import UUID, uuid4

from flotilla_ai.domain.compose import Addressee, compose, first_name_of
from flotilla_ai.domain.drafts import TRANSITIONS, State, before
from flotilla_ai.domain.knowledge import HASHING, Chunk, KnowledgeIndex, chunked
from flotilla_ai.domain.knowledge.chunking import LONGEST_PASSAGE
from flotilla_ai.domain.text import features_of
from hypothesis import given
from hypothesis import strategies as st

from services.ai.tests.conftest import HELP

SOURCE = UUID(int=1)


def index_of(text: str, language: str = "en") -> KnowledgeIndex:
    return KnowledgeIndex.of(
        [Chunk(uuid4(), SOURCE, "Shop", each.heading, each.text, language) for each in chunked(text)]
    )


def test_headings_cut_and_nest() -> None:
    found = chunked("Intro.\n# A\none\n## B\ntwo\n\nthree\n# C\nfour")
    assert [(each.position, each.heading, each.text) for each in found] == [
        (0, "", "Intro."),
        (1, "A", "one"),
        (2, "A › B", "two\nthree"),
        (3, "C", "four"),
    ]


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=3_000))
def test_nothing_is_lost_in_cutting(text: str) -> None:
    found = chunked(text)
    assert all(0 < len(each.text) <= LONGEST_PASSAGE for each in found)
    kept = "".join("".join(f"{each.heading}{each.text}".split()) for each in found)
    body = "".join(line for line in text.replace("\r\n", "\n").split("\n") if not line.startswith("#"))
    assert len("".join(body.split())) <= len(kept) or not found


def test_nothing_is_found_where_nothing_is_known() -> None:
    assert KnowledgeIndex.empty().search(features_of("shipping")) == []
    assert index_of(HELP).search(features_of("?!")) == []
    assert compose("shipping?", "pricing", Addressee("en"), []) is None


def test_the_embedding_is_one_long_and_the_same_everywhere() -> None:
    vectors = HASHING.embed(["Standard shipping costs 4.90 EUR.", "standard SHIPPING costs 5.90 eur", ""])
    assert abs(float(vectors[0] @ vectors[0]) - 1) < 1e-5
    assert float(vectors[0] @ vectors[1]) > 0.99
    assert not vectors[2].any()
    assert round(float(HASHING.embed(["shipping"])[0].max()), 4) == 0.2786


def test_a_reply_is_in_the_customers_language_and_cites() -> None:
    index = index_of(HELP)
    question = "Скільки коштує доставка?"
    to = Addressee("uk", "formal", "Олена", greet=True)
    reply = compose(question, "pricing", to, index.search(features_of(question), "uk"))
    assert reply is not None
    assert reply.text.startswith("Доброго дня, Олена!\n\nУ нашій документації")
    assert "4.90 EUR" in reply.text
    assert reply.quotes[0].chunk.heading == "Shop help › Delivery costs"


def test_a_long_passage_is_cut_to_what_was_asked() -> None:
    filler = " ".join(f"Sentence {number} talks about gardening tools." for number in range(12))
    index = index_of(f"{filler} The warranty lasts five years. More about gardening tools.")
    question = "How long is the warranty?"
    reply = compose(question, "how_to", Addressee("en"), index.search(features_of(question), "en"))
    assert reply is not None
    assert "The warranty lasts five years." in reply.text
    assert len(reply.text) < 300


def test_names_that_are_none_are_not_addressed() -> None:
    assert first_name_of("Iryna Bond") == "Iryna"
    assert [first_name_of(name) for name in (None, "", "x_xX_99", "https://spam.example", "Я")] == [None] * 5


def test_every_state_is_reached_and_only_some_are_left() -> None:
    assert before(State.APPROVED) == before(State.REJECTED) == ["generated"]
    assert before(State.FAILED) == ["generated", "requested"]
    assert all(target not in TRANSITIONS[target] for target in State)

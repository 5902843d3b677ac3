"""The trained model and the recognisers, by the labelled sets: floors well under what they reach."""

import numpy as np
import pytest
from flotilla_ai import eval as evaluation
from flotilla_ai import train_qualification
from flotilla_ai.domain.agents import choose_agent
from flotilla_ai.domain.language import detect
from flotilla_ai.domain.model import Ranking, sparse, trained
from flotilla_ai.domain.text import features_of, sentences_of
from flotilla_ai.eval_qualification import measured
from flotilla_ai.labelled import lines_of, messages, qualified_messages
from flotilla_ai.train import MODEL, digest, head, matrix


def test_held_out_is_held_out() -> None:
    trained_on = {message.text.casefold() for message in messages("intent/train.txt")}
    measured = {message.text.casefold() for message in messages("intent/heldout.txt")}
    assert not trained_on & measured
    taught = {message.text.casefold() for message in qualified_messages("bant/train.txt")}
    for name in ("bant/dev.txt", "bant/heldout.txt"):
        assert not taught & {message.text.casefold() for message in qualified_messages(name)}
    dev, held_out = set(lines_of("retrieval/dev.txt")), set(lines_of("retrieval/heldout.txt"))
    assert not dev & held_out


def test_intents() -> None:
    whole, by_language, confidences = evaluation.intents()
    assert whole.accuracy >= 0.80
    assert min(found.accuracy for found in by_language.values()) >= 0.70
    sure = [right for confidence, right in confidences if confidence >= 0.8]
    assert len(sure) >= 0.6 * whole.total
    assert np.mean(sure) >= 0.9
    assert evaluation.after_a_greeting().accuracy >= 0.75
    assert evaluation.agents().accuracy >= 0.80


def test_languages() -> None:
    short, longer = evaluation.languages()
    assert short.accuracy >= 0.93
    assert longer.accuracy >= 0.98


def test_personal_data() -> None:
    found, clean = evaluation.personal_data()
    assert found.accuracy >= 0.95
    assert clean["masked in vain"] <= 1


def test_retrieval() -> None:
    first, among, known = evaluation.retrieval("retrieval/heldout.txt")
    assert first.accuracy >= 0.65
    assert among >= 0.85
    assert known.accuracy >= 0.75


def test_qualification() -> None:
    found = measured("bant/heldout.txt")
    assert min(answers.accuracy for answers in found.questions.values()) >= 0.70
    assert min(answers.accuracy for answers in found.languages.values()) >= 0.70
    assert found.said.accuracy >= 0.40
    assert found.said.precision("for") >= 0.75
    assert found.false_alarms <= 0.06


def test_the_shipped_scorer_is_of_the_training_set_that_stands_here() -> None:
    with np.load(train_qualification.SCORER, allow_pickle=False) as stored:
        assert str(stored["trained_on"]) == train_qualification.digest(), (
            "run python -m flotilla_ai.train_qualification"
        )
    taught = measured("bant/train.txt")
    assert taught.said.accuracy >= 0.9


def test_the_shipped_model_is_of_the_training_set_that_stands_here() -> None:
    with np.load(MODEL, allow_pickle=False) as stored:
        assert str(stored["trained_on"]) == digest(), "run python -m flotilla_ai.train"
    found = messages("intent/train.txt")
    intents = trained().intent
    assert set(intents.labels) == {message.intent for message in found}
    learnt = [intents.rank(sparse(features_of(message.text))).best == message.intent for message in found]
    assert np.mean(learnt) >= 0.99


def test_a_head_learns_what_it_is_taught() -> None:
    texts = [f"{pet} number {number}" for pet in ("cat", "dog") for number in range(10)]
    taught = head("pets", matrix(texts), texts, [text[:3] for text in texts])
    assert taught["pets_labels"].tolist() == ["cat", "dog"]
    assert taught["pets_weights"].dtype == np.int8


@pytest.mark.parametrize(
    ("text", "hint", "language"),
    [
        ("ok", "uk", "uk"),
        ("ok", "de-AT", "de"),
        ("Wo ist meine Bestellung?", "en", "de"),
        ("Де моє замовлення?", "ru", "uk"),
        ("123", "fr", "fr"),
        ("🙂", None, "und"),
        ("", "pl", "und"),
    ],
)
def test_a_hint_decides_what_words_do_not(text: str, hint: str | None, language: str) -> None:
    assert detect(text, hint).code == language


def test_any_text_has_features() -> None:
    for text in ("", " ", "a", "\ud83d", "\x00", "é" * 20_000, "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "!!!", "1"):
        features = features_of(text.encode("utf-8", "replace").decode())
        assert len(features.terms) == len(features.term_weights)
    assert sentences_of("One. Two!\nThree 4.90 EUR?") == ["One.", "Two!", "Three 4.90 EUR?"]


def test_an_agent_keeps_what_has_no_clear_owner() -> None:
    unsure = Ranking(("thanks", "other"), (0.7, 0.3))
    assert choose_agent(unsure)[0] == "support"
    assert choose_agent(unsure, "billing")[0] == "billing"
    sure = Ranking(("pricing",), (1.0,))
    assert choose_agent(sure, "billing")[0] == "sales"

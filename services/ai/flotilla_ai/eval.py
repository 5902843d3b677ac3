"""`python -m flotilla_ai.eval` (`make eval`): measures the local models on the labelled sets under eval/.

What is trained or tuned on and what is not, set by set, stands in eval/README.md.
"""

import json
from collections import Counter, defaultdict
from uuid import uuid4

from flotilla_ai.domain.agents import choose_agent
from flotilla_ai.domain.compose import KNOWN_FROM
from flotilla_ai.domain.knowledge import Chunk, KnowledgeIndex, chunked
from flotilla_ai.domain.language import detect
from flotilla_ai.domain.model import sparse, trained
from flotilla_ai.domain.pii import find
from flotilla_ai.domain.text import features_of
from flotilla_ai.eval_qualification import measured
from flotilla_ai.labelled import FOLDER, greeted, lines_of, messages
from flotilla_ai.score import Score, score

LANGUAGES = ("en", "de", "uk", "fr", "ru")
OWNERS = {
    "pricing": "sales",
    "demo_request": "sales",
    "order_status": "operations",
    "booking": "operations",
    "refund": "billing",
    "invoice_question": "billing",
    "cancellation": "billing",
    "technical_problem": "support",
    "how_to": "support",
    "complaint": "support",
}
"""Which agent a person would give each intent to; the others belong to nobody in particular."""


def intents() -> tuple[Score, dict[str, Score], list[tuple[float, bool]]]:
    """On messages never trained on: all, by language, and (confidence, right)."""
    pairs: dict[str, list[tuple[str, str]]] = defaultdict(list)
    confidences = []
    for message in messages("intent/heldout.txt"):
        found = trained().intent.rank(sparse(features_of(message.text)))
        pairs[message.language].append((message.intent, found.best))
        confidences.append((found.confidence, found.best == message.intent))
    everything = [pair for language in pairs.values() for pair in language]
    return score(everything), {language: score(found) for language, found in pairs.items()}, confidences


def after_a_greeting() -> Score:
    """The same messages, each after a held-out greeting."""
    return score(
        (message.intent, trained().intent.rank(sparse(features_of(message.text))).best)
        for message in greeted(messages("intent/heldout.txt"))
    )


def agents() -> Score:
    """Whose the held-out messages are, where a person would say whose."""
    return score(
        (OWNERS[message.intent], choose_agent(trained().intent.rank(sparse(features_of(message.text))))[0])
        for message in messages("intent/heldout.txt")
        if message.intent in OWNERS
    )


def languages() -> tuple[Score, Score]:
    """On short and mixed messages, and on the held-out messages of the intents."""
    short = []
    for line in lines_of("language.txt"):
        language, hint, text = line.split(" ", 2)
        short.append((language, detect(text, None if hint == "-" else hint).code))
    longer = [(message.language, detect(message.text).code) for message in messages("intent/heldout.txt")]
    return score(short), score(longer)


def personal_data() -> tuple[Score, Counter[str]]:
    """Each piece of personal data, exactly as long as it is; and how many texts without any were left alone."""
    pairs: list[tuple[str, str]] = []
    clean: Counter[str] = Counter()
    for line in lines_of("pii.jsonl"):
        case = json.loads(line)
        wanted = {(kind, value) for kind, values in case["pii"].items() for value in values}
        given = {
            (str(found.kind), case["text"][found.start : found.end])
            for found in find(case["text"], case["language"])
        }
        pairs += [(kind, kind) for kind, _ in wanted & given]
        pairs += [(kind, "nothing") for kind, _ in wanted - given]
        pairs += [("nothing", kind) for kind, _ in given - wanted]
        if not wanted:
            clean["left alone" if not given else "masked in vain"] += 1
    return score(pairs), clean


def retrieval(questions: str) -> tuple[Score, float, Score]:
    """First chunk right; right one among the first three; and known told from not known."""
    places: dict[object, str] = {}
    chunks = []
    for language in LANGUAGES:
        text = (FOLDER / "retrieval" / f"{language}.md").read_text("utf-8")
        for number, passage in enumerate(chunked(text), 1):
            chunk = Chunk(uuid4(), uuid4(), "Birchline", passage.heading, passage.text, language)
            chunks.append(chunk)
            places[chunk.id] = f"{language}#{number}"
    index = KnowledgeIndex.of(chunks)
    first, among, known = [], [], []
    for line in lines_of(questions):
        language, wanted, question = line.split(" ", 2)
        hits = index.search(features_of(question), language, 3)
        known.append(("-" if wanted == "-" else "known", _told(hits[0].score if hits else 0.0)))
        if wanted != "-":
            found = [places[hit.chunk.id] for hit in hits]
            first.append(("right", "right" if found[:1] == [wanted] else "wrong"))
            among.append(wanted in found)
    return score(first), sum(among) / len(among), score(known)


def _told(best: float) -> str:
    return "known" if best >= KNOWN_FROM else "-"


def _table(title: str, found: Score) -> None:
    print(f"\n{title}: {found.right}/{found.total} right, accuracy {found.accuracy:.3f}")
    print(f"  {'':22}{'precision':>10}{'recall':>10}{'cases':>8}")
    for label, (right, missed, _) in found.labels.items():
        if right + missed:
            row = f"{found.precision(label):>10.2f}{found.recall(label):>10.2f}{right + missed:>8}"
            print(f"  {label:22}{row}")


def main() -> None:
    """Print everything."""
    short, longer = languages()
    _table("Language, short and mixed messages", short)
    print(f"  on the held-out messages of the intents: {longer.accuracy:.3f} of {longer.total}")
    whole, by_language, confidences = intents()
    _table("Intent, held out", whole)
    for language, found in by_language.items():
        print(f"  in {language}: {found.accuracy:.3f} of {found.total}")
    for low, high in ((0.0, 0.5), (0.5, 0.8), (0.8, 1.01)):
        right = [ok for confidence, ok in confidences if low <= confidence < high]
        if right:
            print(
                f"  confidence {low:.1f}-{min(high, 1.0):.1f}: {sum(right) / len(right):.2f} right of {len(right)}"
            )
    print(f"  after a greeting: {after_a_greeting().accuracy:.3f}")
    _table("Agent, held out", agents())
    pii, clean = personal_data()
    _table("Personal data", pii)
    print(f"  texts without any: {clean['left alone']} left alone, {clean['masked in vain']} masked in vain")
    for name in ("dev", "heldout"):
        first, among, known = retrieval(f"retrieval/{name}.txt")
        print(f"\nRetrieval, {name}: right chunk first {first.accuracy:.3f}, among three {among:.3f}", end="")
        print(f" of {first.total}; known told from unknown {known.accuracy:.3f} of {known.total}")
    _qualification()


def _qualification() -> None:
    found = measured("bant/heldout.txt")
    for question, answers in found.questions.items():
        _table(f"Qualification, {question}, held out", answers)
    print(
        f"  found of what was said, for or against: {found.said.accuracy:.3f} of {found.said.total}", end=""
    )
    print(f"; on the set it was chosen on {measured('bant/dev.txt').said.accuracy:.3f}")
    for language, answers in found.languages.items():
        print(f"  in {language}: {answers.accuracy:.3f} of {answers.total}")
    print(f"  existing customers' messages in which something is heard in vain: {found.false_alarms:.3f}")


if __name__ == "__main__":
    main()

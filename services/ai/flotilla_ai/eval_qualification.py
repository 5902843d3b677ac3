"""How well the qualification scorer does on eval/bant: heldout.txt, neither trained nor tuned on, and dev.txt."""

from collections import defaultdict
from dataclasses import dataclass

from flotilla_ai.domain.qualification import QUESTIONS, Finding, findings_in
from flotilla_ai.labelled import QualifiedMessage, messages, qualified_messages
from flotilla_ai.score import Score, score
from flotilla_ai.train_qualification import SILENT


@dataclass(frozen=True)
class Qualification:
    """What `measured` found."""

    questions: dict[str, Score]
    """By question: `for`, `against` and `nothing` told from each other."""
    languages: dict[str, Score]
    said: Score
    """Over all questions, of what was said (`for`, `against`) alone: what `nothing` cannot make look better."""
    false_alarms: float
    """Share of existing customers' messages, held out too, in which something was heard that speaks for buying."""


def answer(findings: list[Finding], question: str) -> str:
    """What a message is taken to say of a question, as `standing` counts it: by half."""
    for finding in findings:
        if finding.question == question:
            if max(finding.favours, finding.opposes) < 0.5:
                return "nothing"
            return "for" if finding.favours >= finding.opposes else "against"
    return "nothing"


def measured(name: str) -> Qualification:
    """On a set: `bant/heldout.txt`, `bant/dev.txt`."""
    questions: dict[str, list[tuple[str, str]]] = defaultdict(list)
    languages: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for message in qualified_messages(name):
        for question, pair in _pairs(message):
            questions[question].append(pair)
            languages[message.language].append(pair)
    everything = [pair for pairs in questions.values() for pair in pairs]
    silent = [message for message in messages("intent/heldout.txt") if message.intent in SILENT]
    heard = [any(f.favours >= 0.5 for f in findings_in(message.text)) for message in silent]
    return Qualification(
        questions={question: score(pairs) for question, pairs in questions.items()},
        languages={language: score(pairs) for language, pairs in languages.items()},
        said=score(pair for pair in everything if pair != ("nothing", "nothing")),
        false_alarms=sum(heard) / len(heard),
    )


def _pairs(message: QualifiedMessage) -> list[tuple[str, tuple[str, str]]]:
    findings = findings_in(message.text)
    return [(question, (message.says(question), answer(findings, question))) for question in QUESTIONS]

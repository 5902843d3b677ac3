"""BANT: what a customer's messages say of budget, authority, need and timeline, and what it adds up to."""

from flotilla_ai.domain.qualification.questions import QUESTIONS, Question
from flotilla_ai.domain.qualification.signals import Finding, findings_in
from flotilla_ai.domain.qualification.standing import Entry, Standing, folded

__all__ = ["QUESTIONS", "Entry", "Finding", "Question", "Standing", "findings_in", "folded"]

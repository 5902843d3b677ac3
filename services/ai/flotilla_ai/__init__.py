"""The ai service: it reads each message of a customer and proposes the reply.

It owns analyses (language, intent, agent, personal data), how conversations qualify (budget, authority, need,
timeline), drafts with their verdicts and decisions, an organization's knowledge, its choice of provider, and what
it used of it. Without any provider's key it answers from the knowledge alone.
"""

"""Rules: when this happens and that holds, ask for these things, and say why.

automation owns rules, their versions, and runs: each time that an event triggered a rule, or nearly did, with every
comparison that was made and every step that was taken. It changes nothing of anybody's: its actions are wishes that
the owners answer, signed calls of webhooks, and waiting. Its lane takes the types of events that rules want, no
others, from the moment the first one is enabled until the last one is over.
"""

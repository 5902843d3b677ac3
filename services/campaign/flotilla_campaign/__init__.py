"""Sequences and campaigns: messages over days to one person or to many, until they answer or want no more.

campaign owns sequences, their versions, enrolments (one person's run through one version, with every step it took
and why), campaigns with their audiences, what became of each message (opens, clicks, bounces, answers), experiments
over texts, and the list of people to whom nothing is sent. It sends nothing itself: a step is a wish that messaging
answers. Its lane takes messages only while somebody is enrolled, or has lately been.
"""

"""Sequences: messages over days to one person, until they answer or want no more.

campaign owns sequences, their versions, enrolments (one person's run through one version, with every step it took
and why) and the list of people who have unsubscribed. It sends nothing itself: a step is a wish that messaging
answers. Its lane takes messages only while somebody is enrolled, or has lately been.
"""

-- Drafts and analyses are sought by whose they are and how they stand, never by what they say.
SELECT leave_unanalyzed('drafts', 'text', 'sent_text', 'citations', 'verdict', 'cause', 'reason');
SELECT leave_unanalyzed('analyses', 'pii', 'masked_text');

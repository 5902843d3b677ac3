-- Whose conversations a role may see and change, where not all (scope_rows says how). Messages are read by their
-- conversation, which is asked for first: their table, in which most is written, is left as it is.
SELECT scope_rows('conversations', 'conversations', 'assignee_id');
SELECT scope_rows_of('attachments', 'conversation_id', 'conversations', 'conversations', 'assignee_id');
SELECT scope_rows_of('escalations', 'conversation_id', 'conversations', 'conversations', 'assignee_id');

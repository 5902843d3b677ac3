-- Tasks that other services ask for: which wishes were seen, and no person who made them.
SELECT make_wish_table();
ALTER TABLE tasks ALTER COLUMN created_by DROP NOT NULL;

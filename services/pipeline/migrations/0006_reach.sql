-- Whose deals a role may see and change, where not all (scope_rows says how).
SELECT scope_rows('deals', 'deals', 'owner_id');

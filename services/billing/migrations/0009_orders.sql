-- The orders that the list can be read in beside the newest first.
CREATE INDEX invoices_due ON invoices (organization_id, coalesce(due_on, 'infinity'::date), id);
CREATE INDEX invoices_total ON invoices (organization_id, total_minor, id);

-- What an organization's people look through, the latest failures first or the other way round; it also finds what the
-- sweep of its oldest ones takes.
CREATE INDEX parked_events_listed ON parked_events (organization_id, failed_at, event_id, handler);
DROP INDEX parked_events_organization;

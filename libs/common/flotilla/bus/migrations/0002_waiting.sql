-- An entity that arrives late wakes the events that wait for it, those too that were left to a person meanwhile.
DROP INDEX parked_events_waiting;
CREATE INDEX parked_events_waiting ON parked_events (waiting_for) WHERE waiting_for IS NOT NULL;

-- Making or dropping a partition takes a lock that everything else waits behind: better not now than at any price.
ALTER FUNCTION keep_inbox_partitions() SET lock_timeout = '2s';

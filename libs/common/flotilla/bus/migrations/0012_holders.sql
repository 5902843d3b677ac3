-- Which relay publishes a row: a number by which it holds a lock while it lives (flotilla.bus.relay). 0: the sweeper does.
ALTER TABLE outbox ADD COLUMN holder int NOT NULL DEFAULT 0;

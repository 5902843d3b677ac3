"""The bus: outbox, lanes, inbox, parked events, jobs and timers over RabbitMQ and Postgres."""

-- What migrations have bound, so that what nothing handles any more is unbound: a broker does not tell by AMQP.
-- Bindings that come and go at run time (flotilla.bus.bindings) are not among them.
CREATE TABLE declared_bindings (
    queue text NOT NULL,
    routing_key text NOT NULL,
    PRIMARY KEY (queue, routing_key)
);

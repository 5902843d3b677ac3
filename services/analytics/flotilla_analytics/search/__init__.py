"""Search behind one interface: Elasticsearch where its address is set, Postgres elsewhere."""

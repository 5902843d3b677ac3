"""The stores: Postgres, documents, Redis, files."""

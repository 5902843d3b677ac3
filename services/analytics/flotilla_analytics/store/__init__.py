"""SQL of the archive, the people's keys, the ledger, the metrics and the cursors."""

"""The SQL, a file for each thing it is about."""

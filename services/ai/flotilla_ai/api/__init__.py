"""ai over HTTP: drafts, knowledge, analyses, settings."""

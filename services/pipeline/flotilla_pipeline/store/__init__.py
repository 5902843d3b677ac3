"""SQL of pipeline."""

"""What ai does with events."""

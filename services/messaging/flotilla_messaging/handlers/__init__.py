"""What messaging does with events."""

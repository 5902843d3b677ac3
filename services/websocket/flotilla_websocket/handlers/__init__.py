"""What websocket does with events."""

"""The rules of websocket: pure, no I/O."""

"""SQL of websocket."""

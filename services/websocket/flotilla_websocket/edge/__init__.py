"""The two ways in: WebSocket and server-sent events."""

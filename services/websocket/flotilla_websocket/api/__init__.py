"""websocket over HTTP."""

"""The outer edge: what a connection may send and how long it may take, and WebSocket tunnels."""

"""What happens, shown while it happens.

websocket owns the feed (what the last 24 hours showed) and the open sockets. Every event that people look at is
written to the feed by the replica that takes it from the bus, then told to all replicas through Redis; each pushes
it to those of its sockets that may see it. The feed is the truth and Redis only the fast way: what Redis loses, the
replicas find in the feed, and so does a client that was away.
"""

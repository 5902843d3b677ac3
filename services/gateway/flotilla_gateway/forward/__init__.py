"""Forwarding: a pool of kept-alive connections to each service, and bodies that stream both ways."""

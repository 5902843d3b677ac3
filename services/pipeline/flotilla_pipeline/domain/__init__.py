"""The rules of deals, without servers."""

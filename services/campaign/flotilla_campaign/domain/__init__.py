"""What sequences are, without servers."""

"""Local stand-ins for what is outside: faithful to the documents of what they stand for."""

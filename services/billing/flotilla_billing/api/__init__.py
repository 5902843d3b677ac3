"""billing over HTTP."""

"""SQL of kyb."""

"""What billing does when others' events come."""

"""What all Flotilla services share."""

"""What connected shops, telephones and CRMs bring, and what they are asked for."""

"""What can happen to a contract. Pure."""

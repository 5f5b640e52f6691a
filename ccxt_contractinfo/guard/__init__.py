"""Whether an order would open a position in a contract that it should not be opened in. Pure."""

"""The faces on ccxt."""

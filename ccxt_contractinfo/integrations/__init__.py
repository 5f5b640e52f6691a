"""Lets bots that make their own ccxt exchanges follow the stream: one module a bot. None imports its bot."""

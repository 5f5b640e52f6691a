"""The command ``ccxt-contractinfo``: one file a command."""

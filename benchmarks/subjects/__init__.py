"""What is measured: each module here runs in a separate process, ``python -m benchmarks.subjects.<name> <job>``."""

NAMES = (
    "floor",
    "websocket_app",
    "official_sdk",
    "python_binance",
    "unicorn",
    "ccxt_pro",
    "before",
    "contractinfo",
)

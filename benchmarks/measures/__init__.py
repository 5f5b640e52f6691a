"""What is measured: each module has `measure(bench)`, and `main()` if it needs a separate process."""

NAMES = (
    "throughput",
    "latency",
    "cost",
    "polling",
    "growth",
    "start",
    "profile",
    "instructions",
    "asyncio_push",
    "loop_held",
    "hub",
    "orders",
)

"""What is measured: each module has `measure(bench)`, and `main()` if it needs a separate process."""

NAMES = ("throughput", "latency", "cost", "polling", "growth", "start", "profile", "asyncio_push", "loop_held")

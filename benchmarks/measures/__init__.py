"""What is measured: each module has `measure(bench)`, and where it needs a process of its own, `main()` for that."""

NAMES = ("throughput", "latency", "cost", "polling", "growth", "start", "profile")

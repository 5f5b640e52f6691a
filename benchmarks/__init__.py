"""What the package costs, beside a floor and beside others: run ``python -m benchmarks``."""

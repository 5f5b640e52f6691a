"""Numbers and places that tests share. It imports next to nothing: each command that a test starts imports it, too."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The folder that all lies in."""

PATIENCE = 60.0
"""s; how long a test waits for what has to happen. Machines are slow at times."""

FAST = {"backoff_base": 0.01, "backoff_max": 0.05}
"""Settings of streams in tests, so that none waits for a backoff."""

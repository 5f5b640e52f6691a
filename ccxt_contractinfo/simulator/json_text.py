"""Pure: JSON as exchanges write it."""

from __future__ import annotations

import json


def compact(value: object) -> str:
    """JSON without blanks, with letters outside ASCII as themselves."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

"""The package of another checkout, in the folder that the driver's ``--before`` names: measured as `contractinfo`."""

from __future__ import annotations

import os
import sys

BEFORE = "CONTRACTINFO_BENCHMARKS_BEFORE"
"""The environment variable that names the folder."""


def main() -> None:
    """Follow the stream with that package, until the job is done."""
    folder = os.environ[BEFORE]
    sys.path.insert(0, folder)

    import ccxt_contractinfo

    assert ccxt_contractinfo.__file__.startswith(os.path.join(folder, "")), ccxt_contractinfo.__file__

    from . import contractinfo

    contractinfo.main()


if __name__ == "__main__":
    main()

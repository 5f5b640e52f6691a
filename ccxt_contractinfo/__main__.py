"""``python -m ccxt_contractinfo`` is ``ccxt-contractinfo``."""

import sys

from .cli.main import main

if __name__ == "__main__":
    sys.exit(main())

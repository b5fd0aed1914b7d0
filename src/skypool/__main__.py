"""`python -m skypool` is `skypool`."""

from __future__ import annotations

import sys

from skypool.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

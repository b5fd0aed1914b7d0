"""`python -m skypool.testing.crash [STATES [CRASHES]]`: check states of all operations."""

from __future__ import annotations

import sys

from skypool.testing.crash.campaign import run, table


def main() -> int:
    """Check, and show how many states there were; 1 if something is wrong."""
    numbers = [int(text) for text in sys.argv[1:3]]
    tallies = run(*(numbers + [700, 8][len(numbers) :]))
    sys.stdout.write(table(tallies))
    failures = [(name, text) for name, tally in tallies.items() for text in tally.failures]
    for name, text in failures:
        sys.stdout.write(f"\n{name}: {text}\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

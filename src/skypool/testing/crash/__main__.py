"""`python -m skypool.testing.crash [STATES [CRASHES]]`: check states of all operations."""

from __future__ import annotations

import sys

from skypool.testing.crash.campaign import Tally, run, table


def main() -> int:
    """Check, and show how many states there were; 1 if something is wrong."""
    numbers = [int(text) for text in sys.argv[1:3]]
    tallies: dict[str, Tally] = {}
    for name, tally in run(*(numbers + [700, 8][len(numbers) :])):
        tallies[name] = tally
        sys.stderr.write(f"{name}: {tally.total} states, {len(tally.failures)} failures\n")
        for text in tally.failures:
            sys.stdout.write(f"\n{name}: {text}\n")
    sys.stdout.write(table(tallies))
    return 1 if any(tally.failures for tally in tallies.values()) else 0


if __name__ == "__main__":
    sys.exit(main())

"""Run the kill campaign: `make kill`, or `make kill KILL_ARGS="--kills 200 --seed 7"`."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from skypool.testing.concurrency.kill import Campaign, KillReport


def main() -> int:
    """Run the campaign and return the exit code."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--kills", type=int, default=1000)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--folder", type=Path, help="an empty folder, kept")
    words.add_argument("--pause", type=float, default=0.25, help="seconds between kills at most")
    words.add_argument("--quiet", action="store_true")
    given = words.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="skypool-kill-"))
    told = [time.monotonic()]

    def tell(report: KillReport) -> None:
        if not given.quiet and time.monotonic() - told[0] > 10:
            told[0] = time.monotonic()
            print(f"{report.kills} of {given.kills} kills", file=sys.stderr, flush=True)

    report = Campaign(folder, given.seed, tell, given.pause).run(given.kills)
    show(report)
    if given.folder is None and report.ok:
        shutil.rmtree(folder)
    elif not report.ok:
        print(f"what is left of it: {folder}")
    return 0 if report.ok else 1


def show(report: KillReport) -> None:
    """Print what was done and found."""
    found = report.verdict
    print(f"kills                {report.kills}, {report.created} of them while creating a pool")
    print(f"pools                {report.pools}")
    for what, count in report.by_operation.most_common():
        print(f"  {what:<18} {count}")
    print(f"acknowledged         {found.acknowledged} commits, {found.saves} versions saved")
    print(f"in the pool          {found.commits} commits, {found.versions} versions, all read")
    print(f"readings compared    {found.seen}")
    print(f"refused, typed       {sum(found.refused.values())}")
    for name in ("lost", "doubled", "unreadable", "torn", "false"):
        problems = getattr(found, name)
        print(f"{name:<20} {len(problems)}")
        for problem in problems[:10]:
            print(f"  {problem}")
    print(f"other problems       {len(report.problems)}")
    for problem in report.problems[:10]:
        print(f"  {problem}")
    print(f"slowest first save after a kill  {report.slowest_probe:.2f} s")
    ratio = report.bytes_after / max(1, report.bytes_clean)
    print(
        f"packs                {report.bytes_before / 1e6:.1f} MB, {report.bytes_after / 1e6:.1f}"
        f" MB after gc; {report.bytes_clean / 1e6:.1f} MB without kills (ratio {ratio:.3f})"
    )
    print(f"time                 {report.seconds:.0f} s")


if __name__ == "__main__":
    sys.exit(main())

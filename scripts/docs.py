"""Build the documentation as a site: `make docs`; an argument is another folder than build/docs.

Nothing is fetched from a network. Every warning is an error, a link that leads nowhere included.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Build the site."""
    target = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / "build/docs"
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    command += ["-d", str(target / "doctrees"), str(ROOT / "docs"), str(target / "html")]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    if code == 0:
        print(f"open {target / 'html/index.html'}")
    return code


if __name__ == "__main__":
    sys.exit(main())

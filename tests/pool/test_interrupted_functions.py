"""Ctrl-C while a function is asked of products in several processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import skypool as sp

PATIENCE = 120
# Its function says that it runs, and goes on for ever.
SCRIPT = """
import os, sys, threading
import skypool as sp

def blocks(product):
    open(os.path.join(os.path.dirname(__file__), f"running-{os.getpid()}"), "w").close()
    threading.Event().wait()

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(__file__))
    import asking
    with sp.Pool(sys.argv[1], mode="r") as pool:
        pool.find(asking.blocks, workers=2)
"""


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def none_left(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("whole", [True, False], ids=["terminal", "kill"])
def test_no_process_is_left(tmp_path, whole):
    with sp.Pool(tmp_path / "pool") as pool, pool.commit("many") as commit:
        for n in range(80):
            commit.save(sp.Product(meta={"n": n}), name=f"p{n}")
    script = Path(tmp_path / "asking.py")
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "pool")],
        start_new_session=True,
        stderr=subprocess.PIPE,
        # a shell in the background makes its children ignore the signal
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )
    try:
        wait_for(lambda: len(list(tmp_path.glob("running-*"))) >= 2 or process.poll() is not None)
        assert process.poll() is None, process.stderr.read()
        (os.killpg if whole else os.kill)(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
        assert b"KeyboardInterrupt" in err
        assert process.returncode != 0
        wait_for(lambda: none_left(process.pid))
    finally:
        if not none_left(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

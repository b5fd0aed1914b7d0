"""Firefox as Debian has it, driven by its own remote protocol: no driver is needed for that."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

__all__ = ["FIREFOX", "Firefox"]

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
PATIENCE = 120.0
PREFERENCES = {
    "marionette.port": 0,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
    "app.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "browser.safebrowsing.downloads.remote.enabled": False,
    "ui.systemUsesDarkTheme": 0,
}
END = "\ue010"


class Firefox:
    """A Firefox without a window.

    Parameters
    ----------
    profile
        A folder of its own.
    size
        Width and height of the page.
    """

    def __init__(self, profile: Path, size: tuple[int, int] = (1440, 900)) -> None:
        assert FIREFOX is not None
        profile.mkdir(parents=True)
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items()]
        (profile / "user.js").write_text("\n".join(lines))
        words = [FIREFOX, "--headless", "--no-remote", "--profile", str(profile), "--marionette"]
        self._process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._number = 0
        try:
            port = self._port(profile / "MarionetteActivePort")
            self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
            self._file = self._socket.makefile("rb")
            self._message()
            self.ask("WebDriver:NewSession", acceptInsecureCerts=False)
            self.ask("WebDriver:SetTimeouts", script=int(PATIENCE * 1000))
            self.ask("WebDriver:SetWindowRect", width=size[0], height=size[1] + 90)
        except BaseException:
            self.close()
            raise

    def _port(self, file: Path) -> int:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self._process.poll() is None:
            text = file.read_text() if file.exists() else ""
            if text.strip():
                return int(text)
            time.sleep(0.05)
        raise RuntimeError("Firefox does not start")

    def _message(self) -> Any:
        length = b""
        while not length.endswith(b":"):
            one = self._file.read(1)
            if not one:
                raise RuntimeError("Firefox has ended")
            length += one
        return json.loads(self._file.read(int(length[:-1])))

    def ask(self, command: str, **parameters: Any) -> Any:
        """Give a command; return what it answers."""
        self._number += 1
        text = json.dumps([0, self._number, command, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(text), text))
        while True:
            _, number, error, result = self._message()
            if number == self._number:
                break
        if error:
            raise RuntimeError(f"{command}: {error.get('message', error)}")
        return result.get("value") if isinstance(result, dict) and "value" in result else result

    def go(self, address: str) -> None:
        """Open a page."""
        self.ask("WebDriver:Navigate", url=address)

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what a function body returns, a promise's value too."""
        return self.ask("WebDriver:ExecuteScript", script=script, args=list(arguments))

    def until(self, script: str, *arguments: Any) -> Any:
        """Wait until a function body returns something; return it."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = self.run(script, *arguments)
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"never: {script}\n{self.run('return document.body.innerText')}")

    def wheel(self, x: int, y: int, down: int) -> None:
        """Turn the wheel at a place."""
        turn = {"type": "scroll", "x": x, "y": y, "deltaX": 0, "deltaY": down, "duration": 0,
                "origin": "viewport"}  # fmt: skip
        self._act({"type": "wheel", "id": "wheel", "actions": [turn]})

    def press(self, key: str) -> None:
        """Press a key."""
        steps = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        self._act({"type": "key", "id": "keys", "actions": steps})

    def _act(self, source: dict[str, Any]) -> None:
        self.ask("WebDriver:PerformActions", actions=[source])

    def picture(self) -> str:
        """Return what is shown, as base64 of PNG."""
        return str(self.ask("WebDriver:TakeScreenshot", full=False))

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
        if hasattr(self, "_file"):
            self._file.close()
            self._socket.close()

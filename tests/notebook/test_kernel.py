"""The guide to notebooks, as it stands: as text, and in a kernel of Jupyter."""

from __future__ import annotations

import doctest
import json
import os
import re
import zlib
from pathlib import Path

import pytest
from tests.docs.pages import page

from skypool.web import widget

GUIDE = page("notebook.md")
PATIENCE = 120
WIDGET = "application/vnd.jupyter.widget-view+json"


def examples() -> doctest.DocTest:
    page = GUIDE.read_text("utf-8")
    text = "\n".join(re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S))
    return doctest.DocTestParser().get_doctest(text, {}, GUIDE.name, None, 0)


class Notebook:
    """Runs cells in a kernel, and talks to widgets as a page does."""

    def __init__(self, folder: Path) -> None:
        from jupyter_client.manager import start_new_kernel

        env = {**os.environ, "IPYTHONDIR": str(folder / "ipython"), "MPLBACKEND": ""}
        env = {**env, "JUPYTER_RUNTIME_DIR": str(folder / "runtime")}
        self.manager, self.client = start_new_kernel(
            kernel_name="python3", startup_timeout=PATIENCE, cwd=str(folder), env=env
        )
        self.opened: dict[str, dict] = {}

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()

    def run(self, code: str) -> list[dict]:
        """Return the MIME bundles that a cell shows, its result last."""
        shown = []

        def hear(message):
            content = message["content"]
            if message["msg_type"] in ("display_data", "execute_result"):
                shown.append(content["data"])
            elif message["msg_type"] == "comm_open":
                self.opened[content["comm_id"]] = content["data"]["state"]

        reply = self.client.execute_interactive(
            code, output_hook=hear, timeout=PATIENCE, allow_stdin=False
        )
        assert reply["content"]["status"] == "ok", reply["content"]
        return shown

    def tell(self, comm: str, content: dict) -> None:
        data = {"method": "custom", "content": content}
        message = self.client.session.msg("comm_msg", {"comm_id": comm, "data": data})
        self.client.shell_channel.send(message)

    def ask(self, comm: str, method: str, path: str, body=None) -> tuple[int, dict]:
        start = {"kind": "request", "id": path, "method": method, "path": path, "query": {}}
        self.tell(comm, {**start, "body": body})
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["msg_type"] != "comm_msg":
                continue
            content = message["content"]["data"].get("content") or {}
            if content.get("kind") == "answer" and content["id"] == path:
                raw = b"".join(bytes(part) for part in message["buffers"])
                said = json.loads(zlib.decompress(raw) if content["packed"] else raw)
                return content["status"], said


@pytest.fixture
def notebook(tmp_path):
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    made = Notebook(tmp_path)
    yield made
    made.close()


def test_the_guide_in_a_kernel(notebook, tmp_path):
    """The cells show HTML and figures, and the widget talks over the kernel's own channel."""
    if not (widget.STATIC / "widget.js").is_file():
        (tmp_path / "widget.js").write_text("export default {};")
        (tmp_path / "widget.css").write_text("")
        place = f"pathlib.Path({str(tmp_path)!r})"
        notebook.run(f"import pathlib, skypool.web.widget as w; w.STATIC = {place}")
    checker = doctest.OutputChecker()
    shown = {}
    for example in examples().examples:
        if example.source.startswith("browser.close"):
            talk(notebook)
        data = shown[example.source.strip()] = notebook.run(example.source)
        result = [one["text/plain"] for one in data if "image/png" not in one]
        if example.want:
            got = result[-1] + "\n"
            assert checker.check_output(example.want, got, doctest.ELLIPSIS), (example.want, got)
    assert "<table>" in shown["hits"][-1]["text/html"]
    assert "251.0 um" in shown["pool.diff(map, again)"][-1]["text/html"]
    assert any("image/png" in one for one in shown["ax = map.plot()"])
    browser = shown["browser"][-1]
    assert set(browser) == {"text/plain", "text/html", WIDGET}
    state = notebook.opened[browser[WIDGET]["model_id"]]
    assert state["_model_module"] == "anywidget" and "export" in state["_esm"]


def completed(notebook: Notebook, code: str) -> list[str]:
    """Return what the tab key offers."""
    reply = notebook.client.complete(code, len(code), reply=True, timeout=PATIENCE)
    return [match.strip("\"'[]") for match in reply["content"]["matches"]]


def talk(notebook: Notebook) -> None:
    assert "m83/1342182452" in completed(notebook, 'pool["m83/13421824')
    assert "image" in completed(notebook, 'map["im')
    comm = next(name for name, state in notebook.opened.items() if "_esm" in state)
    status, said = notebook.ask(comm, "POST", "results", {"query": "wavelength > 250"})
    assert status == 200 and said["total"] == 1, said
    selection = {"refs": [said["rows"][0][0]]}
    notebook.tell(comm, {"kind": "state", "cursor": said["cursor"], "selection": selection})
    (found,) = notebook.run("[ref.name for ref in browser.selected], len(browser.result)")
    assert found["text/plain"] == "(['m83/1342182452'], 1)"
    notebook.run("mine = map.product.replace(description='mine')")
    _, said = notebook.ask(comm, "GET", "variables")
    listed = {one["name"]: one["saved"] for one in said["variables"]}
    assert listed == {"again": True, "map": True, "mine": False}
    asked = {"variables": ["mine"], "pool": "maps", "tags": ["kept"]}
    status, said = notebook.ask(comm, "POST", "variables/save", asked)
    assert status == 200 and said["code"]["python"] == "pool.save(mine, tags=['kept'])", said
    (found,) = notebook.run("pool['kept'].product.description")
    assert found["text/plain"] == "'mine'"

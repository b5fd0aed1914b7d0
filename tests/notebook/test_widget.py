"""The widget: messages of a page against the real application, and what Python gets of them."""

from __future__ import annotations

import json
import threading
import zlib

import pytest

import skypool as sp
from skypool.errors import MissingDependency, UsageError
from skypool.web import widget
from skypool.web.widget import ProductBrowser

PATIENCE = 60


class Kernel:
    """Stands for the channel between a widget and its page."""

    def __init__(self, browser: ProductBrowser) -> None:
        self.browser = browser
        self.changed = threading.Condition()
        self.told: list[tuple[dict, list[bytes]]] = []
        self.number = 0
        browser.send = self.hear

    def hear(self, content, buffers=None):
        with self.changed:
            self.told.append((content, list(buffers or [])))
            self.changed.notify_all()

    def page_sends(self, content, *buffers):
        # As ipywidgets gives messages of a comm to the widget.
        data = {"method": "custom", "content": content}
        message = {"content": {"comm_id": "x", "data": data}, "buffers": list(buffers)}
        self.browser._handle_msg(message)

    def ask(self, method, path, body=None, query=None):
        self.number += 1
        name = f"p-{self.number}"
        start = {"kind": "request", "id": name, "method": method, "path": path}
        self.page_sends({**start, "query": query or {}, "body": body})
        with self.changed:
            assert self.changed.wait_for(lambda: self._answer(name) is not None, PATIENCE)
        content, buffers = self._answer(name)
        raw = b"".join(buffers)
        return content["status"], json.loads(zlib.decompress(raw) if content["packed"] else raw)

    def _answer(self, name):
        mine = (one for one in self.told if one[0].get("id") == name)
        return next((one for one in mine if one[0]["kind"] == "answer"), None)

    def search(self, query, **more):
        status, said = self.ask("POST", "results", {"query": query, **more})
        assert status == 200, said
        return said


@pytest.fixture
def pool(tmp_path):
    with sp.Pool(tmp_path / "maps") as pool:
        with pool.commit() as commit:
            for number in range(12):
                meta = {"n": number, "object": "M 83" if number % 2 else "M 51"}
                commit.save(sp.Product(kind="SimpleImage", meta=meta), name=f"m/{number:02}")
        yield pool


@pytest.fixture
def kernel(pool, page_files):
    browser = pool.browse("object == 'M 83'")
    yield Kernel(browser)
    browser.close()
    assert len(pool) >= 12, "the pool stays open"


def test_what_the_page_gets_at_first(kernel, pool):
    state = kernel.browser.get_state()
    assert state["address"] == "query=object+%3D%3D+%27M+83%27" and state["height"] == 640
    assert "12 products" in state["summary"] and "<script" not in state["summary"]
    assert "render" in state["_esm"] and state["_css"] == ".skypool {}"
    assert "selected" not in state and "result" not in state
    kernel.page_sends({"kind": "hello", "id": "h"})
    assert kernel.told == [({"kind": "welcome", "id": "h"}, [])]


def test_the_result_is_there_in_python(kernel):
    browser = kernel.browser
    heard = []
    browser.observe(lambda change: heard.append(change["name"]), ["result", "selected"])
    said = kernel.search("object == 'M 83'")
    assert said["total"] == 6 and browser.result is None
    kernel.page_sends({"kind": "state", "cursor": said["cursor"], "selection": None})
    assert isinstance(browser.result, type(sp.find("n == 1", pools=[])))
    assert [ref.meta["n"].value for ref in browser.result] == [1, 3, 5, 7, 9, 11]
    assert heard == ["result"] and "6 found" in repr(browser)
    kernel.page_sends({"kind": "state", "cursor": None, "selection": None})
    assert browser.result is None


def test_the_selection_is_there_in_python(kernel, pool):
    browser = kernel.browser
    said = kernel.search("object == 'M 83'")
    rows = [row[0] for row in said["rows"]]
    state = {"kind": "state", "cursor": said["cursor"]}
    kernel.page_sends({**state, "selection": {"refs": rows[1:3]}})
    assert browser.selected == [pool["m/03"], pool["m/05"]]
    assert isinstance(browser.selected, list)
    everything = {"cursor": said["cursor"], "all": True, "except": []}
    kernel.page_sends({**state, "selection": everything})
    assert list(browser.selected) == list(pool.find("object == 'M 83'"))
    kernel.page_sends({**state, "selection": {**everything, "except": [rows[0], "maps/1"]}})
    assert [ref.name for ref in browser.selected] == ["m/03", "m/05", "m/07", "m/09", "m/11"]
    kernel.page_sends({**state, "selection": None})
    assert browser.selected == []


def test_a_state_that_is_gone_changes_nothing(kernel):
    said = kernel.search("n == 1")
    kernel.page_sends({"kind": "state", "cursor": said["cursor"], "selection": None})
    for state in (
        {"cursor": "gone", "selection": None},
        {"cursor": said["cursor"], "selection": {"refs": ["maps/99"]}},
        {"cursor": said["cursor"], "selection": {"refs": ["nonsense"]}},
        {"cursor": said["cursor"], "selection": {"all": True, "cursor": "gone"}},
    ):
        kernel.page_sends({"kind": "state", **state})
        assert len(kernel.browser.result) == 1 and kernel.browser.selected == []


def test_python_selects_in_the_page(kernel, pool, tmp_path):
    kernel.browser.show(pool["m/04"])
    event = {"kind": "event", "name": "selected", "data": {"ref": f"maps/{pool['m/04'].number}"}}
    assert kernel.told == [(event, [])]
    with sp.Pool(tmp_path / "other") as other:
        ref = other.save(sp.Product())
        with pytest.raises(UsageError, match="is not browsed"):
            kernel.browser.show(ref)


def test_several_pools(pool, tmp_path, page_files):
    with sp.Pool(tmp_path / "other") as other:
        other.save(sp.Product(meta={"n": 1}), name="o")
        browser = pool.browse(pools=[other], height=99, read_only=True)
        kernel = Kernel(browser)
        said = kernel.search("n == 1")
        kernel.page_sends({"kind": "state", "cursor": said["cursor"], "selection": None})
        assert sorted(ref.name for ref in browser.result) == ["m/01", "o"]
        assert browser.height == 240, "lower than this nothing can be seen"
        _, pools = kernel.ask("GET", "pools")
        assert pools["read_only"] is True
        browser.close()
        assert other["o"].meta["n"].value == 1


def test_changes_go_to_the_pool_of_the_notebook(kernel, pool):
    first = sp.Product(type="NEW")
    kernel.browser._channel.request("GET", "pools").result(PATIENCE)
    namespace = {"m83": first, "pool": pool}
    browser = ProductBrowser([pool], namespace=lambda: namespace)
    other = Kernel(browser)
    _, said = other.ask("GET", "variables")
    assert [one["name"] for one in said["variables"]] == ["m83"]
    asked = {"variables": ["m83"], "pool": "maps", "name": "new", "tags": ["a"]}
    status, said = other.ask("POST", "variables/save", asked)
    assert status == 200 and said["code"]["python"] == "pool.save(m83, name='new', tags=['a'])"
    assert pool["new"].type == "NEW" and pool["new"].tags == ("a",)
    browser.close()


def test_a_pool_as_it_was(pool, page_files):
    pool.save(sp.Product(), name="later")
    browser = pool.at(1).browse()
    kernel = Kernel(browser)
    assert kernel.search("version == 0")["total"] == 12
    browser.close()


def test_a_saved_notebook_shows_a_table(kernel):
    before = kernel.browser._repr_mimebundle_()[0]
    assert "application/vnd.jupyter.widget-view+json" in before
    assert "12 products" in before["text/html"] and before["text/plain"].startswith("<Product")
    said = kernel.search("object == 'M 83'")
    kernel.page_sends({"kind": "state", "cursor": said["cursor"], "selection": None})
    after = kernel.browser._repr_mimebundle_()[0]
    assert "m/01@0" in after["text/html"] and "<script" not in after["text/html"]


def test_a_closed_widget_is_silent(kernel):
    browser = kernel.browser
    browser.close()
    browser.close()
    kernel.page_sends({"kind": "request", "id": "x", "method": "GET", "path": "pools"})
    browser._channel._send({"kind": "event"}, [])
    assert kernel.told == []


def test_a_page_that_is_not_built(pool, monkeypatch, tmp_path):
    monkeypatch.setattr(widget, "STATIC", tmp_path / "nothing")
    widget._static.cache_clear()
    with pytest.raises(MissingDependency, match="not built"):
        pool.browse()


def test_without_a_pool():
    with pytest.raises(UsageError, match="no pool"):
        ProductBrowser([])

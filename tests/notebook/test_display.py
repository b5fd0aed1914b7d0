"""What notebooks show: bounded, escaped, and no pixel is read for it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from astropy.table import Table
from hypothesis import example, given
from hypothesis import strategies as st

import skypool as sp
from skypool.model.html import MOST_BYTES, MOST_NODES, Page, clipped, shares, size_text
from skypool.storage.store import ChunkStore

ELEMENTS = {
    "div", "style", "p", "b", "span", "details", "summary", "dl", "dt", "dd",
    "table", "tr", "th", "td",
}  # fmt: skip
ATTRIBUTES = {
    ("class", "skypool-view tex2jax_ignore mathjax_ignore"),
    ("class", "more"),
    ("class", "added"),
    ("class", "removed"),
    ("class", "changed"),
    ("open", None),
}


class Read(HTMLParser):
    """Reads HTML strictly: what is opened is closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.attributes: set[tuple[str, str | None]] = set()
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes.update(attrs)
        self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open[-1:] != ["style"]:
            self.text.append(data)

    def handle_comment(self, data):
        pytest.fail(f"a comment: {data!r}")

    handle_decl = handle_pi = unknown_decl = handle_comment

    @property
    def words(self) -> str:
        return " ".join(self.text)


def shown(thing: object) -> Read:
    """Return what a notebook would show, held to the bounds."""
    text = thing._repr_html_()  # type: ignore[attr-defined]
    assert len(text.encode()) <= MOST_BYTES
    found = Read(text)
    assert len(found.elements) <= MOST_NODES
    assert set(found.elements) <= ELEMENTS
    assert found.attributes <= ATTRIBUTES
    assert "http" not in text
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    path = tmp_path_factory.mktemp("display") / "pool"
    meta = {f"key{n:03}": sp.Parameter(n * 1.5, "um", "a number") for n in range(300)}
    with sp.Pool(path) as pool, pool.commit("first maps") as commit:
        for number in range(30):
            image = np.full((300, 300), number, "f4")
            product = sp.Product(
                kind="SimpleImage",
                type="PXMP",
                instrument="PACS",
                meta={**meta, "object": f"M {number}"},
                datasets={
                    "image": sp.Array(image, unit="Jy/pixel"),
                    "sources": Table({"ra": np.arange(3.0), "flux": np.arange(3.0)}),
                    "more": sp.Composite({"coverage": image}),
                },
            )
            saved = commit.save(product, name=f"maps/m{number:02}")
            commit.tag(saved, "using cal v1")
    with sp.Pool(path) as pool:
        ref = pool["maps/m00"]
        changed = ref.product.replace(
            meta={"key001": 5, "key002": None, "new": "yes"},
            datasets={"image": np.ones((300, 300), "f4"), "sources": None},
        )
        pool.save(changed, message="better")
        maps = {f"role{n:03}": pool[f"maps/m{n % 30:02}"] for n in range(200)}
        pool.save(sp.Product(kind="MapContext", refs=maps), name="tree")
    return path


@pytest.fixture
def pool(place):
    with sp.Pool(place, "r") as pool:
        yield pool


def test_a_pool(pool, tmp_path):
    words = shown(pool).words
    assert "31 products" in words and "3 commits" in words and pool.path in words
    assert "better" in words and "using cal v1" in words
    assert "1 product" in shown(pool.at(3)).words
    assert "as of commit 1" in shown(pool.at(1)).words
    assert "empty" in shown(sp.Pool(tmp_path / "new")).words


def test_hits_show_the_first_ten_and_how_many(pool):
    found = shown(pool.find("kind == 'SimpleImage'"))
    assert found.elements.count("tr") == 11
    assert "30 products" in found.words and "... 20 more" in found.words
    assert "maps/m00@1" in found.words and "M 9" in found.words and "M 10" not in found.words
    asked = shown(pool.find("kind == 'SimpleImage'", columns=["key003", "obsid"]))
    assert "4.5" in asked.words and "key003" in asked.words
    assert "obsid" not in asked.words, "a column without any value is left out"
    assert "... " not in shown(pool.find("kind == 'SimpleImage'")[:3]).words
    assert "0 products" in shown(pool.find("key003 == 7")).words


def test_many_columns_are_counted(pool):
    keys = [f"key{n:03}" for n in range(12)]
    found = shown(pool.find("kind == 'SimpleImage'", columns=keys))
    assert "more columns" in found.words


def test_a_product_shows_parts_of_everything(pool):
    found = shown(pool["maps/m01"].product)
    words = found.words
    assert "300 × 300 float32 Jy/pixel" in words and "more/coverage" in words
    assert "table, 3 rows: ra, flux" in words
    assert re.search(r"\.\.\. \d+ more: product\.meta", words)
    assert "Metadata (308)" in words


def test_a_ref_is_not_loaded(pool):
    words = shown(pool["maps/m01"]).words
    assert "M 1" in words and "PACS" in words and "using cal v1" in words
    assert "first maps" in words
    tree = shown(pool["tree"]).words
    assert "References (200)" in tree and "role000" in tree and "more: ref.refs" in tree


def test_versions(pool):
    versions = pool["maps/m00"].versions
    words = shown(versions).words
    assert words.index("@1") < words.index("@0")
    assert isinstance(versions, list) and len(versions) == 2
    assert repr(versions).startswith("<Versions: 2 of maps/m00>\n  0  20")
    assert repr(versions[:1]).startswith("<Versions: 1 of maps/m00>")


def test_history(pool):
    history = pool.history()
    assert "better" in shown(history).words
    assert repr(history).splitlines()[0] == "<History: 3 commits>"
    assert "first maps" in repr(history)
    assert repr(history[:1]).splitlines()[0] == "<History: 1 commit>"
    many = type(history)(list(history) * 500)
    assert "more" in shown(many).words
    assert repr(many).endswith("... and 1480 more")


def test_a_diff(pool):
    diff = pool.diff("maps/m00@0", "maps/m00")
    found = shown(diff)
    assert {("class", "added"), ("class", "removed"), ("class", "changed")} <= found.attributes
    assert "1.5 um → 5 um" in found.words and "sources" in found.words
    assert "90000 pixels" in found.words
    assert "equal" in shown(pool.diff("maps/m00", "maps/m00")).words
    large = pool.diff("maps/m01", "tree")
    assert "more: diff.meta" in shown(large).words
    assert "more in .meta" in repr(large) and len(repr(large).splitlines()) < 130


def test_parts_of_products(pool):
    product = pool["maps/m01"].product
    assert "Jy/pixel" in shown(product["image"]).words
    assert "flux" in shown(product["sources"]).words
    assert "coverage" in shown(product["more"]).words
    assert "more/coverage" in shown(product.datasets).words
    assert "0.0 um — a number" in shown(product.meta).words
    assert "maps/m03@0, SimpleImage" in shown(pool["tree"].product.refs).words
    inner = sp.Product(type="INNER")
    made = sp.Product(kind="MapContext", refs={"a": inner, "b": sp.ExternalRef("urn:x:y:1")})
    words = shown(made).words
    assert "not saved yet" in words and "urn:x:y:1, not in this pool" in words


def test_no_chunk_is_read(place, monkeypatch):
    """No pixel, no row and not even a document, of anything that is found or listed."""
    read = []
    monkeypatch.setattr(ChunkStore, "read", lambda self, at, name: read.append(name))
    monkeypatch.setattr(ChunkStore, "cached", lambda self, name: read.append(name))
    with sp.Pool(place, "r") as pool:
        things = [pool, pool.find("kind == 'SimpleImage'"), pool["maps/m01"], pool["tree"]]
        things += [pool["maps/m00"].versions, pool.history()]
        for thing in things:
            shown(thing)
            assert repr(thing)
        assert pool._ipython_key_completions_()
        assert pool["tree"]._ipython_key_completions_()
    assert read == []


def test_no_chunk_is_read_of_what_is_loaded(pool, monkeypatch):
    product = pool["maps/m01"].product
    diff = pool.diff("maps/m00@0", "maps/m00")
    read = []
    monkeypatch.setattr(ChunkStore, "read", lambda self, at, name: read.append(name))
    monkeypatch.setattr(ChunkStore, "cached", lambda self, name: read.append(name))
    things = [product, product.meta, product.datasets, *product.datasets.values(), diff]
    for thing in things:
        shown(thing)
        assert repr(thing)
    assert product._ipython_key_completions_() == ["image", "sources", "more", "more/coverage"]
    assert read == []


def test_completion(pool):
    assert pool._ipython_key_completions_()[-3:] == ["maps/m29", "tree", "using cal v1"]
    assert pool["tree"]._ipython_key_completions_()[:2] == ["role000", "role001"]
    assert pool["maps/m01"]._ipython_key_completions_()[0] == "image"
    product = pool["maps/m01"].product
    assert product["sources"]._ipython_key_completions_() == ["ra", "flux"]
    assert product["more"]._ipython_key_completions_() == ["coverage"]
    assert "key007" in product.meta._ipython_key_completions_()
    assert "role007" in pool["tree"].product.refs._ipython_key_completions_()


def test_completion_is_bounded(tmp_path):
    with sp.Pool(tmp_path / "pool") as pool:
        with pool.commit() as commit:
            for number in range(600):
                commit.save(sp.Product(meta={"n": number}), name=f"{number % 30:02}/{number}")
            commit.save(sp.Product(meta={"n": -1}), name="05")
            commit.save(sp.Product(meta={"n": -2}), name="05-b")
            first = commit.save(sp.Product(meta={"n": -3}), name="zz")
            for number in range(300):
                commit.tag(first, f"tag {number:03}")
        keys = pool._ipython_key_completions_()
        assert keys[:4] == ["00", "01", "02", "03"] and keys.count("05") == 1
        assert "05-b" in keys and "zz" in keys
        assert len([key for key in keys if not key.startswith("tag")]) == 32
        assert len(keys) == 232
        assert pool.at(1)._ipython_key_completions_() == keys
    with sp.Pool(tmp_path / "deep") as pool:
        with pool.commit() as commit:
            for number in range(600):
                name = f"obs/{number % 3}/a-{number % 20}/{number}"
                commit.save(sp.Product(meta={"n": number}), name=name)
            commit.save(sp.Product(), name="obs/\U0010ffff")
        keys = pool._ipython_key_completions_()
        assert keys[:4] == ["obs", "obs/0", "obs/0/a-0", "obs/0/a-1"]
        assert len(keys) == 1 + 4 + 60 and keys[-1] == "obs/\U0010ffff"
    with sp.Pool(tmp_path / "wide") as pool:
        with pool.commit() as commit:
            for number in range(600):
                commit.save(sp.Product(meta={"n": number}), name=f"one/{number:03}")
        keys = pool._ipython_key_completions_()
        assert len(keys) == 500 and keys[:2] == ["one", "one/000"]
    meta = sp.MetaData({f"k{n}": n for n in range(5000)})
    assert len(meta._ipython_key_completions_()) == 1000
    assert sp.Pool(tmp_path / "none")._ipython_key_completions_() == []


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</dd></dl></details></div><b>",
    "</style><script>",
    "&lt;b&gt; &amp; '\"",
    "<!-- -->",
    "$\\href{javascript:alert(1)}{x}$",
    "\ud800\udc00 \u202etxt\u2066 \x00\x1b[31m",
    "x" * 100_000,
    "&" * 5_000,
]
texts = st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1, max_size=300))
names = texts.filter(lambda text: text.strip() and "\0" not in text)


@given(st.lists(st.tuples(names, texts, texts), min_size=1, max_size=60))
@example([(text + str(n), text, text) for n in range(30) for text in HOSTILE])
def test_data_become_text_only(rows):
    """Names and values of anybody give no element and no attribute."""
    meta = {name: sp.Parameter(value, unit[:20], unit) for name, value, unit in rows}
    meta.pop("type", None)
    product = sp.Product(
        type=rows[0][1],
        description=rows[0][2],
        meta={k: v for k, v in meta.items() if k not in sp.Product().meta},
        datasets={"a/" + name: sp.Array([1], unit=unit[:20]) for name, _, unit in rows[:5]},
        refs={name: sp.ExternalRef(value) for name, value, _ in rows},
    )
    for thing in (product, product.meta, product.datasets, product.refs, sp.MetaData(meta)):
        found = shown(thing)
        assert found.text
        assert repr(thing)
    table = sp.Table({name.replace("\0", "")[:60]: [1] for name, _, _ in rows})
    shown(table)


@given(texts, texts, st.lists(texts, max_size=200))
def test_a_page_stays_within_its_bounds(title, fact, values):
    page = Page(title, fact, fact)
    page.note(fact)
    page.entries(title, ((value, value, "added") for value in values), len(values), title)
    page.table(values[:7], ([value] * 7 for value in values), len(values), fact)
    page.entries(title, ((value, value, "x") for value in values), len(values), title)

    class Thing:
        def _repr_html_(self):
            return page.html()

    found = shown(Thing())
    assert clipped(title) in "".join(found.text)


def test_hostile_names_in_a_pool(tmp_path):
    with sp.Pool(tmp_path / "<b>pool</b>") as pool:
        name = "<script>alert(1)<script>"
        product = sp.Product(type="<i>T</i>", meta={"object": '"><img src=x>'})
        ref = pool.save(product, name=name, tags=["<u>tag</u>"], message="</p><script>")
        tree = pool.save(sp.Product(kind="MapContext", refs={"<hr>": ref}), name="tree")
        again = pool.save(ref.product.replace(meta={"<a href=x>": "<br>"}))
        things = [pool, pool.find("version >= 0", all_versions=True), ref, tree, again.versions]
        things += [pool.history(), pool.diff(ref, again), tree.product]
        for thing in things:
            shown(thing)
        assert "<script>alert(1)<script>" in shown(ref).words
        assert "<u>tag</u>" in shown(ref).words and '"><img src=x>' in shown(ref).words


def test_shares():
    assert shares([3, 100, 100], 20) == [3, 9, 8]
    assert shares([0, 2, 1], 20) == [0, 2, 1]
    assert shares([5, 5], 0) == [0, 0]
    assert sum(shares([50, 50, 50], 31)) == 31


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_960, "1.0 MB"), (5 * 10**15, "5000.0 TB")],
)
def test_sizes(size, text):
    assert size_text(size) == text

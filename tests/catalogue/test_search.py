"""The SQL driver against the evaluator, which defines what is right."""

from __future__ import annotations

import hashlib
import math
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from query.subjects import FakeSubject
from skypool.catalogue.draft import Draft, DraftVersion, External
from skypool.catalogue.search import Limits, Scope, find_numbers
from skypool.catalogue.search_near import within
from skypool.catalogue.sqlite import SqliteCatalogue
from skypool.catalogue.terms import indexed
from skypool.catalogue.times import time_of
from skypool.errors import QueryError
from skypool.model.attributes.names import CORE
from skypool.model.composite import Composite
from skypool.model.metadata import MetaData, Parameter
from skypool.query.evaluate import matches
from skypool.query.grammar import parse
from skypool.sky.vectors import vector

# All ways to answer: by tables as far as columns are no help, by columns of few documents, by
# arrays of all, and looking at every document that an index has found.
WAYS = [
    Limits(driven=1000, few=0, rows=10**6),
    Limits(driven=0),
    Limits(driven=1000, few=0, rows=0),
    Limits(driven=3, few=10**6, rows=10**6),
]
UNITS = {attribute.name: attribute.unit for attribute in CORE}


@dataclass
class Spec:
    """One version."""

    meta: list = field(default_factory=list)
    datasets: list = field(default_factory=list)
    kind: str = "SimpleImage"
    type: str = "MAP"
    refs: list = field(default_factory=list)
    tags: list = field(default_factory=list)
    attributes: dict = field(default_factory=dict)


class Data(Composite):
    """A dataset that has metadata only."""


class World:
    """A catalogue, and the same products for the evaluator."""

    def __init__(self, folder):
        path = str(Path(folder) / "catalogue.sqlite")
        self.catalogue = SqliteCatalogue(path, writable=True, scratch=True)
        self.specs = {}
        self.documents = 0

    def close(self):
        self.catalogue.close()

    def commit(self, named_specs, author="scott", message="", hidden=()):
        draft = Draft(author, message)
        documents = []
        for name, spec in named_specs:
            digest = hashlib.sha256(str(self.documents).encode()).digest()
            self.documents += 1
            document = {
                "kind": spec.kind,
                "meta": [
                    ["type", spec.type],
                    *([key, value, unit] for key, value, unit in spec.meta),
                ],
                "datasets": [
                    [f"d{n}", {"is": "array", "dtype": "float32", "meta": [list(e) for e in meta]}]
                    for n, meta in enumerate(spec.datasets)
                ],
            }
            documents.append(indexed(digest, document, 100 + len(spec.meta)))
            spec.attributes = {
                key: Parameter(value, UNITS[key]) for key, value in documents[-1].attributes.items()
            }
            refs = [
                (role, External(target) if isinstance(target, str) else target)
                for role, target in spec.refs
            ]
            draft.versions.append(
                DraftVersion(digest, spec.kind, spec.type, 100 + len(spec.meta), 0, refs, name)
            )
            draft.tags += [(tag, -len(draft.versions), True) for tag in spec.tags]
        draft.hidden += [
            (self.catalogue.named(name, self.catalogue.head()), True) for name in hidden
        ]
        published = self.catalogue.publish(draft, [], documents, [])
        for urn, (_, spec) in zip(published.urns, named_specs, strict=True):
            self.specs[urn] = spec
        return published.urns

    def subject(self, urn):
        at = self.catalogue.head()
        row = self.catalogue.version(urn, at)
        spec = self.specs[urn]
        commit = self.catalogue.commit(row.commit)
        found = FakeSubject(
            meta=_meta([("type", spec.type, ""), *spec.meta]),
            attributes=MetaData(spec.attributes),
            datasets={f"d{n}": Data({}, meta=_meta(m)) for n, m in enumerate(spec.datasets)},
            urn=f"urn:pool:{row.kind}:{urn}",
            name=row.name or self.catalogue.last_name(row.track, at),
            version=row.version,
            saved=time_of(commit.time_us),
            author=commit.author,
            message=commit.message,
            tags=tuple(self.catalogue.tags(urn, at)),
            size=row.size,
            hash=None,
            kind=row.kind,
            type=row.type,
        )

        def parents():
            rows = self.catalogue.parents(urn, at)
            newest = [self.catalogue.latest(row.track, at) for row in rows]
            return [
                self.subject(row.urn)
                for row, last in zip(rows, newest, strict=True)
                if last is not None and last.urn == row.urn and last.name is not None
            ]

        def children():
            for ref in self.catalogue.refs(urn):
                yield ref.role, ref.external if ref.child is None else self.subject(ref.child)

        found.parents, found.children = parents, children
        return found

    def check(self, query, values=None, all_versions=False):
        tree = parse(query, values or {})
        at = self.catalogue.head()
        ways = [self.find(tree, at, all_versions, limits) for limits in WAYS]
        found = ways[0]
        wanted, scope = set(), set()
        for row in self.catalogue.listing(at):
            rows = self.catalogue.track_versions(row.track, at) if all_versions else [row]
            for version in rows:
                scope.add(version.urn)
                if matches(tree, self.subject(version.urn)):
                    wanted.add(version.urn)
        for limits, found in zip(WAYS, ways, strict=True):
            assert set(found) <= scope, (query, limits)
            assert wanted <= set(found), (query, "missed", limits)
            sure = {urn for urn, decided in found.items() if decided}
            assert sure <= wanted, (query, "too many", limits)
        return wanted, ways[0]

    def check_near(self, places, radius):
        """Hold the rows of many places at once to one question for each of them."""
        at = self.catalogue.head()
        asked = [(number, vector(*place)) for number, place in enumerate(places)]
        found = list(within(self.catalogue.database, asked, math.radians(radius)))
        assert all(decided for _, _, decided in found)
        wanted = {
            (number, self.catalogue.version(urn, at).document)
            for urn in self.specs
            for number, (ra, dec) in enumerate(places)
            if matches(
                parse("within($ra, $dec, $radius)", {"ra": ra, "dec": dec, "radius": radius}),
                self.subject(urn),
            )
        }
        assert {(number, document) for number, document, _ in found} == wanted
        assert len(found) == len(wanted)

    def find(self, tree, at, all_versions=False, limits=WAYS[0]):
        found = find_numbers(self.catalogue.database, tree, at, Scope(all_versions), limits)
        numbers = found.numbers.tolist()
        assert len(set(numbers)) == len(numbers)
        rows = self.catalogue.numbered_all(numbers, at)
        keys = [(rows[number].name, rows[number].version) for number in numbers]
        assert keys == sorted(keys)
        return {number: number not in found.undecided for number in numbers}


def _meta(entries):
    return MetaData({key: Parameter(value, unit) for key, value, unit in entries})


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    made.commit(
        [
            ("cal/flat", Spec([("v", 4, ""), ("OBSID", 1, "")], kind="CalProduct", tags=["good"])),
            ("m/a", Spec([("obsid", 5, ""), ("wavelength", 0.25, "mm"), ("object", "M 83", "")])),
            (
                "m/b",
                Spec(
                    [
                        ("obsid", "5", ""),
                        ("wavelength", 250.0, "um"),
                        ("DATE-OBS", "2010-03-02T10:00:00", ""),
                        ("RA_TARG", 11.0, ""),
                        ("DEC_TARG", 20.0, ""),
                    ]
                ),
            ),
            (
                "m/c",
                Spec(
                    [("obsid", 6, ""), ("start", datetime(2010, 3, 2, 12, tzinfo=UTC), "")],
                    [[("CHIP", 1, "")], [("CHIP", 2, ""), ("ra", 10.0, ""), ("dec", 20.0, "")]],
                ),
            ),
            (
                "m/d",
                Spec(
                    [("obsid", float("nan"), ""), ("object", "x" * 300, "")],
                    kind="SpectralSimpleCube",
                ),
            ),
        ]
    )
    made.commit(
        [
            ("m/a", Spec([("obsid", 7, ""), ("object", "m 83", "")], tags=["using cal v1"])),
            (
                "o/l2",
                Spec(
                    [("mode", "Large map", "")],
                    kind="MapContext",
                    refs=[("PSW.fits", 2), ("cal", 1)],
                ),
            ),
            (
                "o",
                Spec(
                    [("od", 98, "")],
                    kind="ObservationContext",
                    refs=[("level2", -2), ("gone", "urn:x:Y:1")],
                ),
            ),
        ],
        author="anne",
        message="reprocessed",
    )
    made.commit([("gone", Spec([("obsid", 5, "")]))])
    made.commit([], hidden=["gone"])
    yield made
    made.close()


MAPS = ["cal/flat", "m/a", "m/b", "m/c", "m/d"]


@pytest.mark.parametrize(
    ("query", "names", "decided"),
    [
        ("obsid == 5", ["m/b"], True),
        ("obsid == 7", ["m/a"], True),
        ("OBSID == 1", ["cal/flat"], True),
        ("obsid == 1", ["cal/flat"], False),
        ("obsid > 5", ["m/a", "m/c"], True),
        ("not obsid > 5", ["cal/flat", "m/b"], None),
        ("obsid != 5", ["cal/flat", "m/a", "m/c"], None),
        ("obsid in [5, 6]", ["m/b", "m/c"], True),
        ("wavelength == '250 um'", ["m/b"], True),
        ("wavelength < '1 mm'", ["m/b"], True),
        ("object == 'm 83'", ["m/a"], True),
        ("object like 'M%83'", ["m/a"], None),
        ("object like 'x%'", ["m/d"], False),
        ("object contains 'xx'", ["m/d"], False),
        ("start == '2010-03-02'", ["m/b", "m/c"], True),
        ("start > '2010-03-02'", [], None),
        ("start < '2010-04' and start >= '2010'", ["m/b", "m/c"], True),
        ("meta['start'] == '2010-03-02'", ["m/c"], True),
        ("Start == '2010-03-02T10:00:00' and has(START)", ["m/b"], True),
        ("product_type == 'cube'", ["m/d"], True),
        ("meta['DATE-OBS'] == '2010-03-02'", ["m/b"], True),
        ("CHIP == 2", ["m/c"], False),
        ("kind == 'Context'", ["o", "o/l2"], True),
        ("kind == 'SimpleCube'", ["m/d"], True),
        ("kind == 'Product' and kind != 'Context' and type == 'MAP'", [*MAPS], True),
        ("name startswith 'o' and name != 'o'", ["o/l2"], True),
        ("version == 1", ["m/a"], True),
        ("author == 'anne' and message contains 'repro'", ["m/a", "o", "o/l2"], True),
        ("saved < '2000'", [], None),
        ("tagged('using cal v1')", ["m/a"], True),
        ("tags contains 'good' or 'using cal v1' in tags", ["cal/flat", "m/a"], True),
        ("has(chip) or missing(obsid)", ["m/c", "o", "o/l2"], True),
        ("parent(mode == 'Large map')", ["cal/flat"], True),
        ("ancestor(od == 98)", ["cal/flat", "o/l2"], True),
        ("child('level2', mode == 'Large map')", ["o"], True),
        ("descendant(v == 4) and not child(v == 4)", ["o"], True),
        ("child('PSW')", ["o/l2"], False),
        ("has_ref('GONE')", ["o"], True),
        ("refers_to('cal/flat@0')", ["o/l2"], False),
        ("refers_to('urn:x:Y:1')", ["o"], None),
        ("obsid * 2 == 14", ["m/a"], False),
        ("True", ["cal/flat", "m/a", "m/b", "m/c", "m/d", "o", "o/l2"], True),
        ("size > 101 and path == 'x'", [], None),
        ("within(10, 20, 0)", ["m/c"], True),
        ("within(10.5, 20, '35 arcmin') or within('11 20', 0.1)", ["m/b", "m/c"], True),
        ("od == 98 or not within(10, 20, 20)", ["cal/flat", "m/a", "m/d", "o", "o/l2"], None),
        ("parent(within(0, 0, 180))", [], True),
        ("overlaps(10, 20, 180) or overlaps(within(0, 0, 180))", [], True),
    ],
)  # fmt: skip
def test_queries(world, query, names, decided):
    wanted, found = world.check(query)
    at = world.catalogue.head()
    assert sorted(world.catalogue.version(urn, at).name for urn in wanted) == names
    if decided is not None:
        assert set(found.values()) <= {decided}


def test_all_versions_and_order(world):
    wanted, _ = world.check("obsid == 5", all_versions=True)
    assert len(wanted) == 2
    at = world.catalogue.head()
    assert len(world.find(parse("True"), at, all_versions=True)) == 8
    for limits in WAYS:
        listed = [row.urn for row in world.catalogue.listing(at)]
        assert list(world.find(parse("True"), at, limits=limits)) == listed
        found = world.find(parse("obsid == 5"), 1, limits=limits)
        assert [world.catalogue.version(urn, 1).name for urn in found] == ["m/a", "m/b"]


def test_nearest_is_no_condition_on_one_product(world):
    tree = parse("nearest(1, 2) and True")
    with pytest.raises(QueryError, match="compares products"):
        matches(tree, world.subject(1))


ODD = {
    "integer": 5,
    "text": "5",
    "quantity": (5.0, "um"),
    "nothing": float("nan"),
    "called nan": "nan",
    "infinite": float("inf"),
    "truth": True,
    "composed": "\u00e9",
    "decomposed": "e\u0301",
    "beyond": "\U0001f30c M 83",
    "half": "\ud800",
    "cut off": "x" * 250,
    "time": datetime(2010, 3, 2, 10, tzinfo=UTC),
    "huge": 2**80,
}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("x == 5", ["integer", "quantity", "text"]),
        ("x == '5'", ["integer", "quantity", "text"]),
        ("x == '5 um' or x == '0.005 mm'", ["quantity"]),
        ("x in [5, 'nan']", ["called nan", "integer", "quantity", "text"]),
        ("x == 1", ["truth"]),
        ("x > 5", ["huge", "infinite"]),
        ("x == 1208925819614629174706176", ["huge"]),
        ("x < 1e308 and not x < 6", ["huge"]),
        ("x == $n or not x == $n or x < $n", []),
        ("x == 'nan'", ["called nan"]),
        ("x == '\\u00e9'", ["composed"]),
        ("x == 'e\\u0301'", ["decomposed"]),
        ("x startswith '\\U0001f30c'", ["beyond"]),
        ("x > '\\ue000'", ["beyond"]),
        ("x like '\\U0001f30c_m%83'", ["beyond"]),
        ("x contains 'm 83' or upper(x) contains 'M 83'", ["beyond"]),
        (f"x == '{'x' * 250}'", ["cut off"]),
        (f"x == '{'x' * 200}'", []),
        ("x == '2010-03-02'", ["time"]),
        ("x < '2010-03-03'", ["time"]),
        ("has(x) and not x == 5", None),
        ("x != 'abc'", None),
    ],
)
def test_mixed_types_and_odd_texts_under_one_key(tmp_path, query, names):
    world = World(tmp_path)
    specs = []
    for name, value in ODD.items():
        value, unit = value if isinstance(value, tuple) else (value, "")
        specs.append((name, Spec([("x", value, unit)])))
    world.commit(
        [*specs, ("without", Spec([("y", 5, "")])), ("inside", Spec([], [[("x", 7, "")]]))]
    )
    wanted, _ = world.check(query, {"n": float("nan")} if "$n" in query else {})
    at = world.catalogue.head()
    if names is not None:
        found = {world.catalogue.version(urn, at).name for urn in wanted} - {"inside"}
        assert sorted(found) == names
    world.close()


OWN_TEXTS = [
    ("long", [("telescope", "Herschel Space Observatory", "")], []),
    ("short", [("TELESCOP", "HSO", "")], []),
    ("both", [("telescope", "Herschel", ""), ("TELESCOP", "HSO", "")], []),
    ("none given", [("telescope", "Unknown", ""), ("instrument", "PACS", "")], []),
    ("number", [("telescope", 3.5, ""), ("OBSERVAT", "ESO", "")], []),
    ("hubble", [("TELESCOP", "HST", "")], []),
    ("inner", [("instrument", "SPIRE", "")], [[("telescope", "dish", "")]]),
    ("nothing", [("a", 1, "")], []),
]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("telescope == 'Herschel'", ["both", "inner", "long", "none given", "short"]),
        ("telescope == 'Herschel Space Observatory'", ["long"]),
        ("meta['telescope'] == 'Herschel'", ["both"]),
        ("meta['telescope'] == 'Herschel Space Observatory'", ["long"]),
        ("telescope != 'Herschel'", ["hubble", "number"]),
        ("telescope != 'Herschel Space Observatory'",
         ["both", "hubble", "inner", "none given", "number", "short"]),
        ("telescope in ['Herschel', 'HST']",
         ["both", "hubble", "inner", "long", "none given", "short"]),
        ("telescope not in ['Herschel', 'HST']", ["number"]),
        ("telescope like '%space%'", ["long"]),
        ("not telescope startswith 'H'", ["number"]),
        ("telescope == 3.5 and telescope == 'ESO'", ["number"]),
        ("lower(telescope) == 'herschel'", ["both", "inner", "long", "none given", "short"]),
        ("'I' > telescope > 'HST'", ["both", "inner", "long", "none given", "short"]),
        ("has(telescope) and not telescope == 'HST'",
         ["both", "inner", "long", "none given", "number", "short"]),
        ("od == 1 or not (telescope == 'Herschel' or telescope == 3.5)", ["hubble"]),
    ],
)  # fmt: skip
def test_an_attribute_answers_beside_a_key_of_its_name(tmp_path, query, names):
    world = World(tmp_path)
    world.commit([(name, Spec(meta, datasets)) for name, meta, datasets in OWN_TEXTS])
    wanted, _ = world.check(query)
    at = world.catalogue.head()
    assert sorted(world.catalogue.version(urn, at).name for urn in wanted) == names
    world.check(f"not ({query})")
    world.close()


@pytest.mark.parametrize(
    "query",
    [
        " or ".join(f"obsid == {n}" for n in range(300)),
        " or ".join(f"obsid == {n}" for n in range(2000)),
        "obsid in [" + ", ".join(str(n) for n in range(90)) + "]",
        "obsid in [" + ", ".join(str(n) for n in range(5000)) + "]",
        "name in [" + ", ".join(f"'m/{n}'" for n in range(5000)) + "]",
        "(" * 50 + "obsid == 5" + ")" * 50,
        "not (obsid == 5 and " * 20 + "obsid == 6" + ")" * 20,
        "parent(" * 10 + "obsid == 5" + ")" * 10,
        "parent(obsid == 5 or ancestor(" * 5 + "obsid == 5" + "))" * 5,
        "child('a', " * 10 + "obsid == 5" + ")" * 10,
        "obsid == " + "9" * 300,
        "obsid < 1e308 and version < " + "9" * 300 + " and size != 18446744073709551616",
        "refers_to('" + "@" * 500 + "') or urn == 'urn:p:K:" + "9" * 50 + "'",
        "name == '\\0\\U0010ff00' or object == 'a\\x00b' or tagged('\\U0010ff00')",
    ],
    ids=lambda query: query[:20] + str(len(query)),
)
def test_large_and_odd_queries(world, query):
    world.check(query)


TEXTS = [
    "", "1", "01", "1.0", "5", "abc", "ABC", "ab%", "250 um", "0.25 mm", "2010-03-02", "2010-03",
    "2010", "20100302", "2010-03-02T10:00:00", "2010-03-02T01:00:00+05:00", "2010-W09-2",
    "2010-03-02T10:00:00.000000Z", "é", "\ue000", "\U0010ff00", "\U0001f30c", "x" * 199, "x" * 200,
    "x" * 250, "\ud800", "a\x00b", "nan", "1e400", "-0", " 5", "Unknown", "Unknown", "HST", "PACS",
    "Herschel", "Herschel Space Observatory",
]  # fmt: skip
MOMENTS = [
    datetime(2010, 3, 2, tzinfo=UTC),
    datetime(2010, 3, 2, 10, tzinfo=UTC),
    datetime(2010, 3, 2, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, tzinfo=UTC),
]
NUMBERS = [
    0, 1, -1, 5, 250, 0.25, 5.0, -0.0, 2**53, 2**53 + 1, float(2**53), 2**63 - 1, -(2**63), 2**63,
    2**80, float(2**80), float("inf"), float("-inf"), float("nan"), 1e-300, True, False,
]  # fmt: skip
values = st.one_of(st.sampled_from(NUMBERS), st.sampled_from(TEXTS), st.sampled_from(MOMENTS))
keys = st.sampled_from(["a", "A", "b", "Ab", "AB"])
# keys that core attributes come from, and such as stand before them
sources = st.sampled_from(
    ["TELESCOP", "telescope", "Telescope", "EXPTIME", "exposure", "TARGNAME", "OBJECT", "object",
     "instrument", "Instrument", "INSTRUME", "DATE-OBS", "startDate", "start", "PHOTPLAM",
     "ra", "dec"]
)  # fmt: skip


@st.composite
def entries(draw):
    names = draw(st.lists(st.one_of(keys, sources), max_size=5, unique=True))
    found = []
    for name in names:
        value = draw(values)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        found.append(
            (name, value, draw(st.sampled_from(["", "", "um", "mm", "s"])) if number else "")
        )
    return found


track_names = st.sampled_from(["m/a", "m/b", "o", "5"])
roles = st.lists(st.sampled_from(["x", "X", "x.fits", "y"]), max_size=2, unique=True)
units = st.sampled_from(["", "", "um", "mm", "s"])
trees = st.sampled_from(["parent", "ancestor", "child", "descendant"])


@st.composite
def worlds(draw):
    """Commits: lists of (name, spec); references go to what was saved before."""
    commits, saved = [], 0
    for _ in range(draw(st.integers(1, 3))):
        specs = []
        names = draw(
            st.lists(st.sampled_from(["m/a", "m/b", "o", "5"]), min_size=1, max_size=3, unique=True)
        )
        for name in names:
            roles = draw(
                st.lists(st.sampled_from(["x", "X", "x.fits", "y"]), max_size=2, unique=True)
            )
            refs = [
                (
                    role,
                    draw(st.integers(1, saved)) if saved and draw(st.booleans()) else "urn:x:Y:1",
                )
                for role in roles
            ]
            specs.append(
                (
                    name,
                    Spec(
                        draw(entries()),
                        draw(st.lists(entries(), max_size=2)),
                        draw(st.sampled_from(["SimpleImage", "MapContext", "Odd", "Product"])),
                        draw(st.sampled_from(["MAP", "5", "", "2010-03-02"])),
                        refs,
                        draw(st.lists(st.sampled_from(["t", "2010-03-02"]), max_size=1)),
                    ),
                )
            )
        commits.append((specs, draw(st.sampled_from(["scott", "5"]))))
        saved += len(specs)
    return commits


operators = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
bindable = values.filter(lambda value: not (isinstance(value, str) and "\ud800" in value))
sides = st.one_of(
    keys,
    keys,
    st.sampled_from(["telescope", "exposure", "object", "instrument", "start", "Instrument",
                     "OBJECT", "meta['object']", "wavelength", "product_type"]),
    st.sampled_from(["meta['a']", "d0.meta['a']", "name", "version", "size", "kind", "type",
                     "author", "saved", "hash", "path", "a + b", "message"]),
)  # fmt: skip


@st.composite
def leaves(draw, bound):
    side = draw(sides)

    def literal():
        bound.append(draw(bindable))
        return f"$v{len(bound) - 1}"

    def text():
        bound.append(draw(st.sampled_from([t for t in TEXTS if "\ud800" not in t])))
        return f"$v{len(bound) - 1}"

    form = draw(st.integers(0, 8))
    if form <= 2:
        return f"{side} {draw(operators)} {literal()}"
    if form == 3:
        return f"{literal()} {draw(operators)} {side}"
    if form == 4:
        items = ", ".join(literal() for _ in range(draw(st.integers(0, 3))))
        return f"{side} {draw(st.sampled_from(['in', 'not in']))} [{items}]"
    if form == 5:
        return f"{side} {draw(st.sampled_from(['startswith', 'contains', 'like']))} {text()}"
    if form == 6:
        return draw(
            st.sampled_from(
                ["has(a)", "missing(ab)", "has(exposure)", "missing(Telescope)",
                 "has(path)", "tagged('t')", "'2010-03-02' in tags",
                 "has_ref('x')", "child('x')", "refers_to('m/a')", "refers_to('urn:x:Y:1')",
                 "refers_to('m/b@0')", "parent()", "ancestor()", "tags contains 't'", "True",
                 "a", "AB", "refers_to('m/a@t')", "within(5, 1, 3)", "within('0 0', '5 deg')",
                 "overlaps(0, 0, 180)", "covers(5, 5)"]
            )
        )  # fmt: skip
    if form == 7:
        return f"{side} {draw(operators)} {draw(keys)}"
    return f"1 < {side} <= {literal()}"


@st.composite
def asked(draw):
    bound = []

    def build(depth):
        form = draw(st.integers(0, 7)) if depth else 0
        if form <= 2:
            return draw(leaves(bound))
        if form == 3:
            return f"not ({build(depth - 1)})"
        if form in (4, 5):
            word = "and" if form == 4 else "or"
            return f"({build(depth - 1)}) {word} ({build(depth - 1)})"
        if form == 6:
            return f"{draw(trees)}({build(depth - 1)})"
        return f"child('x', {build(depth - 1)})"

    query = build(3)
    return query, {f"v{n}": value for n, value in enumerate(bound)}


# places whose coordinates are such as the worlds have, and the angle that counts as near
degrees = st.sampled_from([0.0, 1.0, 5.0, 0.25, -1.0, 250.0])
near = st.tuples(
    st.lists(st.tuples(degrees, degrees.filter(lambda dec: abs(dec) <= 90)), max_size=4),
    st.sampled_from([0.0, 0.3, 7.5, 180.0]),
)


def agree(commits, queries, all_versions, places):
    """Ask after each commit: columns and arrays have to learn what came behind."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder)
        try:
            for number, (specs, author) in enumerate(commits):
                world.commit(specs, author=author)
                some = queries if number == len(commits) - 1 else queries[:2]
                for query, bound in some:
                    world.check(query, bound, all_versions)
            world.check_near(*places)
        finally:
            world.close()


asked_of_worlds = given(worlds(), st.lists(asked(), min_size=1, max_size=8), st.booleans(), near)


@settings(max_examples=50)
@asked_of_worlds
def test_driver_and_evaluator_agree(commits, queries, all_versions, places):
    agree(commits, queries, all_versions, places)


@pytest.mark.campaign
@settings(max_examples=10_000)
@asked_of_worlds
def test_driver_and_evaluator_agree_in_ten_thousand_worlds(commits, queries, all_versions, places):
    agree(commits, queries, all_versions, places)

"""Core attributes of the real files: what is expected stands in `real_files.toml`."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

import skypool as sp
from skypool.model.attributes.engine import load
from skypool.model.attributes.names import CORE_NAMES

EXPECTED = tomllib.loads((Path(__file__).parent / "real_files.toml").read_text("utf-8"))
FAMILIES = {
    "alma", "chandra", "dss", "eso", "fermi", "fits", "gaia", "herschel", "highenergy", "hst",
    "jwst", "kepler", "nustar", "optical", "radio", "rosat", "sdss", "solar", "xmm",
}  # fmt: skip


@pytest.fixture(scope="module")
def pool(shared_data, tmp_path_factory):
    made = sp.Pool(str(tmp_path_factory.mktemp("real") / "pool"))
    for name in EXPECTED:
        made.add(str(shared_data / "files" / name), name=name)
    return made


def as_value(name, value):
    if name in ("start", "end"):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return pytest.approx(value, rel=1e-11) if isinstance(value, float) else value


@pytest.mark.parametrize("name", EXPECTED)
def test_attributes(pool, name):
    expected = dict(EXPECTED[name])
    family = expected.pop("family")
    ref = pool[f"name:{name}"]
    found = {key: parameter.value for key, parameter in ref.attributes.items()}
    assert found == {key: as_value(key, value) for key, value in expected.items()}
    assert load().family(ref.document) == family


def test_there_are_files_of_each_observatory_and_attribute():
    assert {entry["family"] for entry in EXPECTED.values()} == FAMILIES
    assert len(EXPECTED) >= 60
    assert {key for entry in EXPECTED.values() for key in entry} == {*CORE_NAMES, "family"}


def test_one_question_for_all(pool):
    hits = {ref.name for ref in pool.find("telescope == 'HST' and start < '2010'")}
    assert hits == {
        name
        for name, entry in EXPECTED.items()
        if entry.get("telescope") == "HST" and "start" in entry
    }


def test_telescopes_of_all_real_files_are_found_by_their_attribute(pool):
    """Those too that have a key of that name that says something else."""
    named = {name: entry["telescope"] for name, entry in EXPECTED.items() if "telescope" in entry}
    own = {
        name: pool[f"name:{name}"].meta["telescope"].value
        for name in named
        if "telescope" in pool[f"name:{name}"].meta
    }
    differing = {name for name, value in own.items() if value != named[name]}
    assert {own[name] for name in differing} == {"Herschel Space Observatory"}
    for telescope in set(named.values()):
        wanted = {name for name, value in named.items() if value == telescope}
        found = {ref.name for ref in pool.find("telescope == $t", t=telescope, all_names=True)}
        assert found == wanted
        others = {ref.name for ref in pool.find("telescope != $t", t=telescope, all_names=True)}
        assert not others & wanted
    written = {ref.name for ref in pool.find("telescope == 'Herschel Space Observatory'")}
    assert written == differing

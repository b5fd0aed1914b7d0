"""The products of a notebook, and "Save Products to Pool"."""

from __future__ import annotations

import sys
import types

import pytest

import skypool as sp
from skypool.errors import NotFound, UsageError
from skypool.server.app import make_api, make_context
from skypool.web.variables import Variables, routes, user_namespace

from .test_channel import Page


class Sly:
    """Not a product, whatever it says; asking it is not harmless."""

    kind = "SimpleImage"

    def __getattr__(self, name):
        pytest.fail(f"{name} of a variable was asked")


@pytest.fixture
def pools(tmp_path):
    with sp.Pool(tmp_path / "mine") as mine, sp.Pool(tmp_path / "other") as other:
        yield mine, other


@pytest.fixture
def names(pools):
    mine, other = pools
    ref = other.save(sp.Product(type="REF", description="a map"), name="maps/ref")
    loaded = ref.product
    return {
        "mine": mine,
        "fresh": sp.Product(type="FRESH"),
        "loaded": loaded,
        "changed": loaded.replace(description="better"),
        "ref": ref,
        "_hidden": sp.Product(),
        "__": ref,
        "sly": Sly(),
        "number": 3,
    }


@pytest.fixture
def page(pools, names):
    context = make_context([pool.shared() for pool in pools])
    made = Page(make_api(context, routes(context, Variables(lambda: names))))
    yield made
    made.channel.close()
    context.close()


def test_products_and_references_are_listed(page):
    status, said = page.get("GET", "variables")
    assert status == 200
    found = {one["name"]: one for one in said["variables"]}
    assert list(found) == ["changed", "fresh", "loaded", "ref"]
    assert [one["saved"] for one in found.values()] == [False, False, True, True]
    assert found["changed"]["track"] == "maps/ref@0" and found["fresh"]["track"] is None
    assert found["ref"]["class"] == "Ref" and found["ref"]["pool"] == "other"
    assert found["loaded"]["description"] == "a map"


def test_saving_one_with_tags(page, pools, names):
    asked = {
        "variables": ["fresh"],
        "pool": "mine",
        "name": "maps/fresh",
        "tags": ["using cal v1", "it's new"],
        "message": "from the notebook",
    }
    status, said = page.get("POST", "variables/save", body=asked)
    assert status == 200, said
    ref = pools[0]["maps/fresh"]
    assert ref.type == "FRESH" and ref.tags == ("it's new", "using cal v1")
    assert said["saved"] == [
        {"variable": "fresh", "ref": f"mine/{ref.number}", "name": "maps/fresh", "version": 0}
    ]
    assert pools[0].history()[0].message == "from the notebook"
    code = said["code"]["python"]
    assert code == (
        "mine.save(fresh, name='maps/fresh', tags=['using cal v1', \"it's new\"],"
        " message='from the notebook')"
    )
    # The echoed line is what was done.
    exec(code, dict(names))
    assert pools[0]["maps/fresh"].product.meta == ref.meta


def test_saving_several_is_one_commit(page, pools, names):
    asked = {
        "variables": ["fresh", "ref", "changed"],
        "pool": "mine",
        "under": "set/",
        "tags": ["t"],
    }
    status, said = page.get("POST", "variables/save", body=asked)
    assert status == 200, said
    assert [one["name"] for one in said["saved"]] == ["set/fresh", "set/ref", "set/changed"]
    assert len(pools[0].history()) == 1
    assert pools[0]["set/changed"].product.description == "better"
    assert said["code"]["python"].splitlines() == [
        "with mine.commit() as c:",
        "    c.save(fresh, name='set/fresh', tags=['t'])",
        "    c.save(ref.product, name='set/ref', tags=['t'])",
        "    c.save(changed, name='set/changed', tags=['t'])",
    ]
    with sp.Pool(pools[0].path + "-2") as again:
        exec(said["code"]["python"], {**names, "mine": again})
        assert [ref.name for ref in again] == ["set/changed", "set/fresh", "set/ref"]


def test_without_a_name_a_product_continues_its_track(page, pools):
    status, said = page.get(
        "POST", "variables/save", body={"variables": ["changed"], "pool": "other"}
    )
    assert status == 200, said
    assert said["saved"][0]["name"] == "maps/ref" and said["saved"][0]["version"] == 1
    assert said["code"]["python"] == f"sp.Pool({pools[1].path!r}).save(changed)"


def test_a_pool_that_is_not_made_yet_is_made(page, pools):
    _, said = page.get("GET", "pools")
    first = said["pools"][0]
    assert (first["label"], first["writable"]) == ("mine", True)
    asked = {"variables": ["fresh"], "pool": "mine"}
    assert page.get("POST", "variables/save", body=asked)[0] == 200
    assert len(pools[0]) == 1


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"variables": ["sly"], "pool": "mine"}, 404, "not_found"),
        ({"variables": ["_hidden"], "pool": "mine"}, 404, "not_found"),
        ({"variables": ["fresh"], "pool": "none"}, 404, "not_found"),
        ({"variables": ["fresh", "ref"], "pool": "mine", "name": "x"}, 400, "usage"),
        ({"variables": [], "pool": "mine"}, 400, "usage"),
        ({"variables": ["fresh"], "pool": "mine", "name": "a//b"}, 400, "invalid_name"),
        ({"variables": ["fresh"], "pool": "mine", "tags": [3]}, 400, "usage"),
        ([], 400, "usage"),
    ],
)
def test_what_cannot_be_saved(page, pools, asked, status, code):
    got, said = page.get("POST", "variables/save", body=asked)
    assert (got, said["error"]["code"]) == (status, code), said
    assert len(pools[0]) == 0


def test_a_body_that_is_none(page):
    assert page.get("POST", "variables/save", raw=b"{")[0] == 400


def test_read_only(pools, names):
    context = make_context([pools[1].shared()], read_only=True)
    page = Page(make_api(context, routes(context, Variables(lambda: names))))
    asked = {"variables": ["fresh"], "pool": "other"}
    status, said = page.get("POST", "variables/save", body=asked)
    assert status == 403 and said["error"]["code"] == "read_only"
    page.channel.close()
    context.close()


def test_variables_in_python(names, pools):
    variables = Variables(lambda: names)
    assert variables["fresh"] is names["fresh"]
    with pytest.raises(NotFound) as caught:
        variables["nothing"]
    assert caught.value.candidates == ("changed", "fresh", "loaded", "ref")
    with pytest.raises(UsageError):
        variables.save(pools[0], {"variables": ["fresh", "ref"], "name": "x"})


def test_the_namespace_of_the_notebook(monkeypatch):
    shell = types.SimpleNamespace(user_ns={"a": 1})
    fake = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", fake)
    assert user_namespace() == {"a": 1}
    fake.get_ipython = lambda: None
    assert user_namespace() is sys.modules["__main__"].__dict__

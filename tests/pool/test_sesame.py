"""Names of objects; the service itself is not asked."""

import pytest
from astropy.coordinates import SkyCoord
from astropy.coordinates.name_resolve import NameResolveError
from click.testing import CliRunner

import skypool as sp
from skypool.cli.app import app
from skypool.errors import NotFound


def test_a_name_gives_what_searches_take(tmp_path, monkeypatch):
    asked = []

    def from_name(name):
        asked.append(name)
        return SkyCoord(204.25, -29.87, unit="deg")

    monkeypatch.setattr(SkyCoord, "from_name", from_name)
    pool = sp.Pool(tmp_path / "pool")
    pool.save(sp.Product(meta={"ra": 204.3, "dec": -29.9}), name="m83")
    found = pool.find("within($m83, '10 arcmin')", m83=sp.resolve("M 83"))
    assert [ref.name for ref in found] == ["m83"]
    assert asked == ["M 83"]
    call = ["-p", str(tmp_path / "pool"), "find", "within($object, 0.2)", "--object", "M 83", "-q"]
    result = CliRunner().invoke(app, call)
    assert (result.exit_code, result.stdout) == (0, "m83\n"), result.stderr
    assert asked == ["M 83"] * 2


@pytest.mark.parametrize("problem", [NameResolveError("Unable to find it"), OSError()])
def test_what_is_not_found_says_what_else_works(monkeypatch, problem):
    def from_name(name):
        raise problem

    monkeypatch.setattr(SkyCoord, "from_name", from_name)
    with pytest.raises(NotFound, match="position of 'M 838383'") as caught:
        sp.resolve("M 838383")
    assert "degrees" in caught.value.hint

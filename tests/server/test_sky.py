"""Results on the sky over HTTP."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

import skypool as sp

from .conftest import COUNT, client_of, made


@pytest.fixture
def cursor(client):
    return client.post("/api/v1/results", json={}).json()["cursor"]


def cells_of(answer):
    raw = base64.b64decode(answer["cells"])
    return np.frombuffer(raw, "<u4").reshape(answer["height"], answer["width"])


def test_density(client, cursor):
    answer = client.get(f"/api/v1/results/{cursor}/sky/density").json()
    assert (answer["width"], answer["height"]) == (720, 360)
    cells = cells_of(answer)
    assert cells.sum() == answer["placed"] == COUNT
    for number in range(COUNT):
        ra, dec = 150.0 + number, -40.0 + number
        around = cells[
            int((90 - dec) * 2) - 1 : int((90 - dec) * 2) + 2,
            int((360 - ra) * 2) - 1 : int((360 - ra) * 2) + 2,
        ]
        assert around.sum() >= 1
    assert answer["max"] == cells.max()


def test_density_in_galactic_coordinates(client):
    found = client.post("/api/v1/results", json={"query": "obsid == 1342180000"}).json()
    path = f"/api/v1/results/{found['cursor']}/sky/density"
    answer = client.get(path, params={"frame": "galactic", "width": 360}).json()
    ((row, column),) = np.argwhere(cells_of(answer))
    galactic = SkyCoord(150.0, -40.0, unit="deg").galactic
    assert abs(90 - row - 0.5 - galactic.b.deg) <= 1
    assert abs(360 - column - 0.5 - galactic.l.deg) <= 1
    assert client.get(path, params={"frame": "moon"}).status_code == 400


def test_outlines(client, cursor):
    path = f"/api/v1/results/{cursor}/sky/outlines"
    answer = client.get(path).json()
    assert answer["total"] == COUNT
    refs = {row[0]: row for row in client.post("/api/v1/results", json={}).json()["rows"]}
    for ref, rings in answer["outlines"]:
        number = int(refs[ref][1].split("/")[1])
        (ring,) = rings
        assert len(ring) == 4
        corners = SkyCoord(ring, unit="deg")
        middle = SkyCoord(150.0 + number, -40.0 + number, unit="deg")
        np.testing.assert_allclose(corners.separation(middle).arcsec, 8 * 6 * np.sqrt(2), rtol=1e-3)
    some = client.get(path, params={"bounds": "151.5,-90,154.5,90"}).json()
    assert some["total"] == 3
    assert client.get(path, params={"limit": 29}).json() == {"total": COUNT, "outlines": []}
    for wrong in ("1,2,3", "a,b,c,d", "0,10,5,-10", "nan,0,1,1", "inf,0,1,1"):
        assert client.get(path, params={"bounds": wrong}).status_code == 400


def test_at(client, cursor):
    path = f"/api/v1/results/{cursor}/sky/at"
    (ref,) = client.get(path, params={"ra": 157.0, "dec": -33.0}).json()["refs"]
    name = client.get(f"/api/v1/results/{cursor}/position", params={"ref": ref}).json()
    assert name == {"index": 7}
    assert client.get(path, params={"ra": 157.5, "dec": -33.0}).json()["refs"] == []
    near = {"ra": 157.5, "dec": -32.5, "radius": 1.0}
    assert client.get(path, params=near).json()["total"] == 2
    assert client.get(path, params={"ra": 157.0}).status_code == 400
    assert client.get(path, params={"ra": "nan", "dec": 0}).status_code == 400


def test_products_that_are_nowhere_or_have_no_footprint(pool):
    with sp.Pool(pool) as opened:
        opened.save(sp.Product(meta={"object": "nowhere"}), name="nowhere")
        opened.save(sp.Product(meta={"RA_TARG": 10.0, "DEC_TARG": 20.0}), name="a point")
    with client_of(pool) as client:
        cursor = client.post("/api/v1/results", json={}).json()["cursor"]
        answer = client.get(f"/api/v1/results/{cursor}/sky/density").json()
        assert answer["placed"] == 7
        outlines = client.get(f"/api/v1/results/{cursor}/sky/outlines").json()
        assert outlines["total"] == 7
        points = [rings for _, rings in outlines["outlines"] if len(rings[0]) == 1]
        np.testing.assert_allclose(points, [[[[10.0, 20.0]]]], atol=1e-4)


def test_places_follow_commits(pool):
    with client_of(pool) as client, sp.Pool(pool) as other:
        for count in (6, 7, 8):
            cursor = client.post("/api/v1/results", json={}).json()["cursor"]
            answer = client.get(f"/api/v1/results/{cursor}/sky/density").json()
            assert answer["placed"] == count
            other.save(made(40 + count), name=f"more/{count}")

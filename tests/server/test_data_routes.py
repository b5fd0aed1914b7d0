"""The routes of data: bytes, caches, and the errors of what cannot be read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from starlette.testclient import TestClient

import skypool as sp

from .conftest import client_of
from .seen import sky_header

IMAGE = np.random.default_rng(1).normal(size=(700, 600)).astype(np.float32)
CUBE = np.random.default_rng(2).normal(size=(20, 30, 40)).astype(np.float64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a pool with one product of every sort of data, in two versions."""
    folder: Path = tmp_path_factory.mktemp("data") / "pool"
    second = IMAGE.copy()
    second[100:110, 50:60] += 1
    with sp.Pool(folder) as pool:
        for image in (IMAGE, second):
            pool.save(
                sp.Product(
                    datasets={
                        "image": sp.Array(image, unit="Jy", wcs=sky_header(600, 700)),
                        "cube": sp.Array(CUBE, unit="K"),
                        "spectrum": np.arange(100.0),
                        "table": sp.Table({"a": [1, 2, 3], "b": [0.5, np.nan, 9.0]}),
                        "inside": sp.Composite({"deep": np.eye(3)}),
                        "empty": np.zeros((0, 4)),
                    }
                ),
                name="all",
            )
    return folder


@pytest.fixture
def asked(folder: Path) -> Iterator[tuple[TestClient, str, str]]:
    """Return a client, and the hashes of both versions."""
    with sp.Pool(folder, "r") as pool:
        first, second = (ref.hash for ref in pool["all"].versions)
    with client_of(folder) as client:
        yield client, f"/api/v1/data/{first}", second


def test_an_image(asked: Any) -> None:
    client, base, _ = asked
    answer = client.get(f"{base}/image", params={"dataset": "image"})
    found = answer.json()
    assert (found["shape"], found["unit"], found["tile"]) == ([700, 600], "Jy", 256)
    assert [each["step"] for each in found["levels"]] == [1, 2, 4]
    assert found["wcs"]["axes"][0] == {"name": "right ascension", "unit": "deg", "type": "RA"}
    assert "immutable" in answer.headers["cache-control"]
    assert client.get(f"{base}/image").json() == found  # the best to show
    again = client.get(f"{base}/image", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_tiles(asked: Any) -> None:
    client, base, _ = asked
    place = {"dataset": "image", "level": 0, "row": 2, "column": 1}
    answer = client.get(f"{base}/tile", params=place)
    assert answer.headers["skypool-shape"] == "188,256"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "immutable" in answer.headers["cache-control"]
    found = np.frombuffer(answer.content, "<f4").reshape(188, 256)
    np.testing.assert_array_equal(found, IMAGE[512:, 256:512])
    plane = client.get(f"{base}/tile", params={"dataset": "cube", "plane": 7})
    np.testing.assert_array_equal(
        np.frombuffer(plane.content, "<f4"), CUBE[7].astype("<f4").reshape(-1)
    )
    twice = [client.get(f"{base}/tile", params=place | {"level": 1, "row": 0, "column": 0})] * 2
    assert twice[0].content == twice[1].content


def test_pixels_and_spectra(asked: Any) -> None:
    client, base, _ = asked
    found = client.get(f"{base}/pixel", params={"dataset": "image", "x": 3, "y": 2}).json()
    assert found["text"] == str(IMAGE[2, 3])
    assert found["world"]["text"].startswith("13:25:")
    line = client.get(f"{base}/spectrum", params={"dataset": "cube", "x": 3, "y": 2}).json()
    assert line["y"]["values"] == CUBE[:, 2, 3].tolist()
    assert client.get(f"{base}/spectrum?dataset=spectrum").json()["total"] == 100


def test_tables(asked: Any) -> None:
    client, base, _ = asked
    params = {"dataset": "table", "order": "-b", "where": "a > 1"}
    found = client.get(f"{base}/table", params=params).json()
    assert found["rows"] == [[3, 9.0], [2, "NaN"]]
    assert client.get(f"{base}/plot?dataset=table&x=a&y=b").json()["y"]["values"] == [0.5, "NaN", 9]
    bins = client.get(f"{base}/histogram?dataset=table&column=a&bins=2").json()
    assert bins["counts"] == [1, 2]
    wrong = client.get(f"{base}/table", params={"dataset": "table", "where": "a >"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "query")
    assert wrong.json()["error"]["column"] == 4


def test_differences(asked: Any) -> None:
    client, base, second = asked
    found = client.get(f"{base}/changed", params={"dataset": "image", "with": second}).json()
    assert (found["pixels"], found["boxes"]) == (100, [[50, 100, 60, 110]])
    assert (found["tiles_read"], found["tiles"]) == (1, 9)
    answer = client.get(f"{base}/difference", params={"dataset": "image", "with": second})
    tile = np.frombuffer(answer.content, "<f4").reshape(256, 256)
    np.testing.assert_allclose(tile[100:110, 50:60], -1, atol=1e-6)
    assert np.count_nonzero(tile) == 100


@pytest.mark.parametrize(
    ("route", "params", "status", "words"),
    [
        ("image", {"dataset": "nothing"}, 404, "nothing"),
        ("image", {"dataset": "empty"}, 400, "no array of numbers"),
        ("image", {"dataset": "table"}, 400, "no array of numbers"),
        ("table", {"dataset": "image"}, 400, "no table"),
        ("tile", {"dataset": "image", "level": 9}, 404, "levels are 0 to 2"),
        ("tile", {"dataset": "image", "level": "x"}, 400, "whole number"),
        ("tile", {"dataset": "image", "row": -1}, 400, "row"),
        ("pixel", {"dataset": "image", "x": 600, "y": 0}, 404, "no pixel"),
        ("spectrum", {"dataset": "image"}, 400, "no spectrum"),
        ("plot", {"dataset": "table"}, 400, "'y'"),
        ("difference", {"dataset": "image"}, 400, "'with'"),
        ("changed", {"dataset": "image", "with": "0" * 64}, 404, "none of the open pools"),
    ],
)
def test_errors(asked: Any, route: str, params: dict[str, Any], status: int, words: str) -> None:
    client, base, _ = asked
    answer = client.get(f"{base}/{route}", params=params)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]
    assert "immutable" not in answer.headers.get("cache-control", "")


def test_hashes_that_are_none(asked: Any) -> None:
    client, _, _ = asked
    assert client.get("/api/v1/data/xyz/image").status_code == 400
    assert client.get(f"/api/v1/data/{'0' * 64}/image").status_code == 404


def test_thumbnails(asked: Any, folder: Path) -> None:
    client, _, _ = asked
    with sp.Pool(folder, "r") as pool:
        number = pool["all"].number
    answer = client.get(f"/api/v1/products/pool/{number}/thumbnail?size=128")
    assert answer.headers["content-type"] == "image/webp"
    assert answer.content[8:12] == b"WEBP"
    again = client.get(
        f"/api/v1/products/pool/{number}/thumbnail?size=128",
        headers={"If-None-Match": answer.headers["etag"]},
    )
    assert again.status_code == 304
    assert client.get(f"/api/v1/products/pool/{number}/thumbnail?size=9").status_code == 400
    assert client.get("/api/v1/products/pool/99999/thumbnail").status_code == 404


def fits_file(path: Path, value: float = 1.0) -> Path:
    fits.writeto(path, np.full((300, 300), value, np.float32), overwrite=True)
    return path


def test_files_in_place_that_changed_or_went(tmp_path: Path) -> None:
    path = fits_file(tmp_path / "a.fits")
    with sp.Pool(tmp_path / "pool") as pool:
        ref = pool.add(str(path), in_place=True)
        base = f"/api/v1/data/{ref.hash}"
    with client_of(tmp_path / "pool") as client:
        assert client.get(f"{base}/pixel").json()["value"] == 1.0
    fits_file(path, 2.0)
    os.utime(path, ns=(1, 1))
    with client_of(tmp_path / "pool") as client:
        for route in ("tile", "pixel", "image"):
            answer = client.get(f"{base}/{route}?level=1" if route == "tile" else f"{base}/{route}")
            if answer.status_code == 200:
                assert route == "image"  # its limits are known without the file
                continue
            assert answer.json()["error"]["code"] == "source_changed"
        picture = client.get(f"/api/v1/products/pool/{ref.number}/thumbnail")
        assert picture.json()["error"]["code"] == "source_changed"
    path.unlink()
    with client_of(tmp_path / "pool") as client:
        assert client.get(f"{base}/pixel").json()["error"]["code"] == "source_missing"


def test_damage_is_told(tmp_path: Path) -> None:
    with sp.Pool(tmp_path / "pool") as pool:
        data = np.random.default_rng(3).normal(size=(600, 600))
        ref = pool.save(sp.Product(datasets={"image": data}), name="a")
    (pack,) = (tmp_path / "pool" / "packs").glob("*")
    raw = bytearray(pack.read_bytes())
    for place in range(20_000, len(raw) - 20_000, 50_000):
        raw[place] ^= 1
    pack.chmod(0o600)
    pack.write_bytes(raw)
    with client_of(tmp_path / "pool") as client:
        answer = client.get(f"/api/v1/data/{ref.hash}/tile")
        assert answer.status_code == 500
        assert answer.json()["error"]["code"] == "damaged"


def test_what_was_given_up_is_gone(tmp_path: Path) -> None:
    with sp.Pool(tmp_path / "pool") as pool:
        ref = pool.add(str(fits_file(tmp_path / "a.fits")), name="a")
        twin = pool.add(str(tmp_path / "a.fits"), name="twin")
        assert ref.hash == twin.hash
        pool.remove("a")
    address = f"/api/v1/data/{ref.hash}/pixel"
    with client_of(tmp_path / "pool") as client:
        assert client.get(address).json()["value"] == 1.0
        with sp.Pool(tmp_path / "pool") as pool:
            pool.gc(removed_after=0, grace=0)
        assert client.get(address).json()["value"] == 1.0
        with sp.Pool(tmp_path / "pool") as pool:
            pool.remove("twin")
            pool.gc(removed_after=0, grace=0)
        answer = client.get(address)
        assert (answer.status_code, answer.json()["error"]["code"]) == (410, "purged")


def test_the_same_data_in_two_pools(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with sp.Pool(tmp_path / name) as pool:
            ref = pool.add(str(fits_file(tmp_path / "a.fits")))
    with client_of(tmp_path / "one", tmp_path / "two") as client:
        address = f"/api/v1/data/{ref.hash}/pixel"
        assert client.get(address).status_code == 200
        assert client.delete("/api/v1/pools/one").status_code == 200
        assert client.get(address).status_code == 200
        client.delete("/api/v1/pools/two")
        assert client.get(address).status_code == 404

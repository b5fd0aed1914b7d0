"""Thumbnails: what they show, and that they are made once."""

from __future__ import annotations

import io
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from PIL import Image

import skypool as sp
from skypool.server import thumbnails
from skypool.server.data_sources import default_dataset
from skypool.server.thumbnails import Thumbnails, drawn_ref, picture

from .seen import saved


def opened(data: bytes | None) -> np.ndarray:
    assert data is not None
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA")).astype(int)


def test_an_image_has_its_first_row_at_the_bottom(tmp_path: Path) -> None:
    data = np.zeros((300, 600), np.float32)
    data[:100] = 1.0
    data[200:, 300:] = np.nan
    pool, ref = saved(tmp_path, image=sp.Array(data))
    with pool:
        found = opened(picture(ref, 200))
    assert found.shape == (100, 200, 4)
    assert found[90, 50, :3].min() > 200
    assert found[50, 50, :3].max() < 50
    assert found[10, 150, 3] == 0  # NaN is not black: it is nothing
    assert found[10, 50, 3] == 255


def test_small_images_are_enlarged(tmp_path: Path) -> None:
    pool, ref = saved(tmp_path, image=sp.Array(np.eye(5)))
    with pool:
        assert opened(picture(ref, 256)).shape[:2] == (255, 255)


def test_a_spectrum_is_a_curve(tmp_path: Path) -> None:
    wave = np.linspace(50, 60, 5000)
    flux = np.exp(-((wave - 55) ** 2))
    table = sp.Table({"wave": wave * u.um, "flux": flux * u.Jy})
    pool, ref = saved(tmp_path, spectrum=table)
    with pool:
        found = opened(picture(ref, 256))
    inked = found[..., 3] > 128
    assert inked[: found.shape[0] // 4, 100:156].any()
    assert not inked[: found.shape[0] // 4, :60].any()
    assert inked[-20:, :60].any()
    pool, ref = saved(tmp_path / "b", flux=sp.Array(flux))
    with pool:
        assert (opened(picture(ref, 256))[..., 3] > 128).any()


@pytest.mark.parametrize("data", [np.full((9, 9), np.nan), np.zeros((1, 1)), np.full(9, np.nan)])
def test_odd_images_have_pictures_too(data: np.ndarray, tmp_path: Path) -> None:
    pool, ref = saved(tmp_path, image=sp.Array(data))
    with pool:
        assert opened(picture(ref, 64)).shape[2] == 4


def test_nothing_to_show(tmp_path: Path) -> None:
    table = sp.Table({"name": ["a", "b"], "size": [1, 2]})
    pool, ref = saved(tmp_path, catalogue=table, empty=sp.Array(np.zeros((0, 5))))
    with pool:
        assert picture(ref, 64) is None
        assert drawn_ref(ref) is None
        assert Thumbnails(tmp_path / "t").get(ref, 64) is None
    (tmp_path / "x.pdf").write_bytes(b"%PDF-1.4 nothing to see")
    with sp.Pool(tmp_path / "files") as files:
        assert Thumbnails(tmp_path / "t").get(files.add(str(tmp_path / "x.pdf")), 64) is None


def test_the_best_dataset_is_chosen(tmp_path: Path) -> None:
    def best(**datasets: object) -> str | None:
        return default_dataset(sp.Product(datasets=datasets))

    image, cube, line = np.zeros((4, 4)), np.zeros((3, 4, 4)), np.zeros(9)
    assert best(coverage=image, error=image, image=image) == "image"
    assert best(primary=np.zeros((0, 0)), weight=image, sci=image) == "sci"
    assert best(spectrum=line, map=image) == "map"
    assert best(cube=cube, spectrum=line) == "cube"
    assert best(error=image, spectrum=line) == "spectrum"
    assert best(inside={"deep": sp.Composite({"image": image})}) == "inside/deep/image"
    assert best() is None


def test_pictures_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool, ref = saved(tmp_path, image=sp.Array(np.eye(50)))
    kept = Thumbnails(tmp_path / "cache")
    with pool:
        first = kept.get(ref, 64)
        monkeypatch.setattr(thumbnails, "picture", None)
        assert kept.get(ref, 64) == first
        monkeypatch.setattr(thumbnails, "RECIPE", thumbnails.RECIPE + 1)
        with pytest.raises(TypeError):  # another recipe is another picture
            kept.get(ref, 64)


def test_the_folder_is_bounded(tmp_path: Path) -> None:
    kept = Thumbnails(tmp_path / "cache", most_bytes=1000)
    with sp.Pool(tmp_path / "pool") as pool:
        for number in range(8):
            data = np.random.default_rng(number).normal(size=(64, 64))
            kept.get(pool.save(sp.Product(datasets={"image": sp.Array(data)})), 32)
    kept.trim()
    files = list((tmp_path / "cache").glob("*/*.webp"))
    assert sum(file.stat().st_size for file in files) <= 1000
    assert not list((tmp_path / "cache").glob("*/*.tmp"))


def test_without_a_folder_they_are_made_each_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    pool, ref = saved(tmp_path, image=sp.Array(np.eye(50)))
    with pool:
        assert Thumbnails(tmp_path / "file" / "below").get(ref, 64) is not None


def test_a_context_shows_what_is_below_it(tmp_path: Path) -> None:
    with sp.Pool(tmp_path / "pool") as pool:
        text = pool.save(sp.Product(meta={"a": 1}), name="log")
        image = pool.save(sp.Product(datasets={"image": np.eye(20)}), name="map")
        level = sp.Product(kind="MapContext", refs={"map": image})
        whole = sp.Product(
            kind="ObservationContext", refs={"aux": text, "level2": pool.save(level, name="l2")}
        )
        root = pool.save(whole, name="obs")
        assert drawn_ref(root) == image
        kept = Thumbnails(tmp_path / "t")
        assert kept.get(root, 32) == kept.get(image, 32)

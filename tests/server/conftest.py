"""A pool that a server shows, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

import skypool as sp
from skypool.server.app import make_app

TOKEN = "a-token-for-tests"
BASE = "http://127.0.0.1:8123"
INSTRUMENTS = ("PACS", "SPIRE", "HIFI")


def card(key: str, value: object) -> str:
    text = f"'{value:<8}'" if isinstance(value, str) else f"{value!r:>20}"
    return f"{key:<8}= {text}"[:80].ljust(80)


def wcs(ra: float, dec: float, size: int = 16, step: float = 6 / 3600) -> str:
    middle = (size + 1) / 2
    cards = {
        "NAXIS": 2, "NAXIS1": size, "NAXIS2": size, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN",
        "CRPIX1": middle, "CRPIX2": middle, "CRVAL1": ra, "CRVAL2": dec,
        "CDELT1": -step, "CDELT2": step, "CUNIT1": "deg", "CUNIT2": "deg",
    }  # fmt: skip
    return "".join(map(card, cards.keys(), cards.values()))


def made(number: int) -> sp.Product:
    """Return one of the products of the pool."""
    ra, dec = 150.0 + number, -40.0 + number
    values = np.full((16, 16), float(number), np.float32)
    return sp.Product(
        kind="SimpleImage",
        type="HPPPMAPBS" if number % 2 else "SPIREMAP",
        creator="made",
        description="a made map",
        meta={
            "instrument": INSTRUMENTS[number % 3],
            "obsid": 1342180000 + number,
            "object": f"NGC {number}",
            "exposure": sp.Parameter(10.0 * number, "s"),
            "startDate": datetime(2010, 1, 1 + number % 28, tzinfo=UTC),
            "quality": bool(number % 4 == 0),
            "note": "café 100% _under_",
            **({"rare": number} if number % 5 == 0 else {}),
        },
        datasets={"image": sp.Array(values, unit="Jy/beam", wcs=wcs(ra, dec))},
    )


COUNT = 30


@pytest.fixture(scope="session")
def shown_pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a pool that tests only read."""
    folder = tmp_path_factory.mktemp("server") / "shown"
    with sp.Pool(folder) as pool, pool.commit("made") as commit:
        for number in range(COUNT):
            tags = ["good", f"set {number % 2}"] if number < 10 else []
            commit.save(made(number), name=f"obs/{number:03d}/map", tags=tags)
    return folder


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Path]:
    """Return a pool of a test's own."""
    folder = tmp_path / "own"
    with sp.Pool(folder) as opened, opened.commit("made") as commit:
        for number in range(6):
            commit.save(made(number), name=f"obs/{number:03d}/map", tags=["good"])
    return folder


def client_of(*folders: Path, **options: Any) -> TestClient:
    """Return a client that has the token."""
    app = make_app([sp.Pool(folder) for folder in folders], token=TOKEN, **options)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return TestClient(app, base_url=BASE, headers=headers, follow_redirects=False)


@pytest.fixture
def client(shown_pool: Path) -> Iterator[TestClient]:
    """Return a client of the pool that is only read."""
    with client_of(shown_pool) as opened:
        yield opened

"""What requests take while they work: so much for each product, and no more."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import skypool as sp

from .conftest import client_of

# Beside what grows with the pool: blocks of products that are worked on together.
BLOCKS = 20_000_000
EACH = 60
"""Bytes for each product that a request may take at once, what it leaves behind included."""
EPOCH = datetime(2010, 1, 1, tzinfo=UTC)


def fill(folder: Path, count: int) -> None:
    """Make a pool of so many products, each with a number, a time and a place of its own."""
    with sp.Pool(folder) as pool:
        for start in range(0, count, 10_000):
            with pool.commit(f"from {start}") as commit:
                for n in range(start, min(count, start + 10_000)):
                    meta = {
                        "instrument": ["PACS", "SPIRE", "HIFI"][n % 3],
                        "object": f"NGC {n % 7000}",
                        "exposure": n * 0.5,
                        "startDate": EPOCH + timedelta(seconds=7 * n),
                        "ra": sp.Parameter(n % 3600 / 10, "deg"),
                        "dec": sp.Parameter(n % 1200 / 10 - 60, "deg"),
                    }
                    commit.save(sp.Product(type="map", meta=meta), name=f"obs/{n:07d}")


def asked(client: Any) -> dict[str, Callable[[], Any]]:
    """Return requests by their names."""

    def post(path: str, body: Any) -> Any:
        answer = client.post(f"/api/v1/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(path: str) -> Any:
        answer = client.get(f"/api/v1/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def whole(path: str) -> str:
        return f"results/{post('results', {})['cursor']}/{path}"

    keys = ["instrument", "object", "type", "tags"]
    return {
        "everything": lambda: post("results", {}),
        "facets": lambda: post(whole("facets"), {"keys": keys}),
        "histogram": lambda: post(whole("histogram"), {"key": "exposure"}),
        "times": lambda: post(whole("histogram"), {"key": "startDate"}),
        "order": lambda: post("results", {"order": "-exposure"}),
        "order of times": lambda: post("results", {"order": "startDate"}),
        "free text": lambda: post("results", {"text": "ngc 65"}),
        "density": lambda: get(whole("sky/density")),
        "outlines": lambda: get(whole("sky/outlines?bounds=0,-5,10,5")),
        "box": lambda: post("results", {"region": {"box": [10, -20, 50, 20]}}),
        "completion": lambda: get("complete?text=object%20%3D%3D%20'NGC%2012"),
        "selection": lambda: post(whole("selection"), {"all": True, "except": []}),
    }


@pytest.mark.parametrize("count", [300, pytest.param(200_000, marks=pytest.mark.campaign)])
def test_no_request_takes_more_than_its_share(tmp_path: Path, count: int) -> None:
    fill(tmp_path / "pool", count)
    with client_of(tmp_path / "pool") as client:
        for name, ask in asked(client).items():
            gc.collect()
            tracemalloc.start()
            try:
                ask()
                most = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            assert most < BLOCKS + EACH * count, (name, most)

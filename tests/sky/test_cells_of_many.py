"""Cells of many directions at once are those of each."""

import numpy as np
import pytest

from skypool.sky.cells_of_many import cells_of
from skypool.sky.healpix import cell_of


@pytest.mark.parametrize("order", [0, 1, 5, 10, 29])
def test_cells_of_many_directions(order):
    random = np.random.default_rng(order)
    vectors = random.normal(size=(3000, 3))
    edges = [
        [x, y, z] for x in (-1.0, 0.0, 1.0) for y in (-1.0, 0.0, 1.0) for z in (-1.0, 0.0, 1.0, 2.0)
    ]
    vectors = np.concatenate([vectors, [edge for edge in edges if any(edge)]])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = {cell_of(tuple(float(v) for v in vector), order) for vector in vectors}
    assert set(cells_of(vectors, order).tolist()) == expected

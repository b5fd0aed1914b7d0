"""Cells of the HEALPix grid against astropy_healpix."""

import astropy.units as u
import numpy as np
import pytest
from astropy_healpix import core

from skypool.sky.healpix import cell_centre, cell_of, cell_radius, holds
from skypool.sky.vectors import separation, vector


@pytest.mark.parametrize("order", [0, 1, 5, 10, 20])
def test_cells_of_directions_and_their_middles(order):
    random = np.random.default_rng(order)
    near_poles = random.choice([-1, 1], 60) * (1 - 10.0 ** random.uniform(-16, -3, 60))
    z = np.r_[random.uniform(-1, 1, 300), near_poles, 1.0, -1.0, 0.0, 2 / 3 - 1e-12]
    ra, dec = random.uniform(0, 360, len(z)), np.degrees(np.arcsin(z))
    ra[:20] = 45.0 * np.arange(20) % 360 + 1e-7
    nside = 1 << order
    known = core.lonlat_to_healpix(ra * u.deg, dec * u.deg, nside, order="nested")
    middles = core.healpix_to_lonlat(known, nside, order="nested")
    lon, lat = (angle.to_value("deg").tolist() for angle in middles)
    different = 0
    for n, cell in enumerate(known.tolist()):
        direction, middle = vector(float(ra[n]), float(dec[n])), cell_centre(cell, order)
        different += cell_of(direction, order) != cell
        assert separation(direction, middle) <= cell_radius(order)
        assert cell_of(middle, order) == cell
        assert separation(middle, vector(lon[n], lat[n])) < 1e-8
    assert different <= (0 if order < 20 else 5)  # on edges, to rounding


def test_ranges():
    assert [n for n in range(12) if holds([2, 7], [4, 8], n)] == [2, 3, 7]
    assert not holds([], [], 1)

"""Where pixels are: held to astropy."""

from __future__ import annotations

from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import pixel_to_skycoord

import skypool as sp
from skypool.server.data_sources import Shown, ShownData
from skypool.server.data_world import sexagesimal

from .seen import saved, sky_header


def header_of(**cards: object) -> str:
    header = fits.Header()
    for key, value in cards.items():
        header[key.replace("_", "-") if key == "MJD_OBS" else key] = value
    return str(header.tostring(sep="", endcard=False, padding=False))


IMAGE = {
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 10.5, "CRPIX2": 20.0, "CRVAL1": 359.99,
    "CRVAL2": -43.0, "CDELT1": -0.001, "CDELT2": 0.001, "CUNIT1": "deg", "CUNIT2": "deg",
}  # fmt: skip


@pytest.mark.parametrize(
    "more",
    [
        {}, {"RADESYS": "FK5", "EQUINOX": 2000.0}, {"RADESYS": "FK4", "EQUINOX": 1950.0},
        {"CTYPE1": "GLON-CAR", "CTYPE2": "GLAT-CAR", "CRVAL1": 30.0, "CRVAL2": 0.0},
        {"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CRVAL2": 89.9995},
    ],
    ids=["icrs", "fk5", "fk4", "galactic", "pole"],
)  # fmt: skip
def test_positions_are_those_of_astropy(more: dict[str, object]) -> None:
    text = header_of(**{**IMAGE, **more})
    shown = Shown(sp.Array(np.zeros((40, 30), np.float32), wcs=text))
    for x, y in [(0, 0), (29, 39), (13, 7)]:
        found = shown.world.at(x, y)
        known = pixel_to_skycoord(x, y, WCS(fits.Header.fromstring(text)), 0).icrs
        assert found is not None
        there = SkyCoord(found["ra"], found["dec"], unit="deg")
        assert there.separation(known).to_value(u.arcsec) < 1e-6
        read = SkyCoord(found["text"], unit=(u.hourangle, u.deg))
        assert read.separation(known).to_value(u.arcsec) < 0.02
        assert found["degrees"].split()[0] == f"{known.ra.deg:.7f}"
    frame = str(more.get("RADESYS", "galactic" if "CTYPE1" in more else "ICRS"))
    told = shown.world.describe()
    assert told is not None
    assert told["frame"] in (frame, "ICRS")
    assert ("native" in found) == (told["frame"] != "ICRS")


def test_sexagesimal_carries() -> None:
    assert sexagesimal(359.9999999999, -0.000000001) == "00:00:00.000 +00:00:00.00"
    assert sexagesimal(15.0, 59.99999999999) == "01:00:00.000 +60:00:00.00"
    assert sexagesimal(0.0, -89.5) == "00:00:00.000 -89:30:00.00"


CUBE = IMAGE | {
    "WCSAXES": 3, "CTYPE3": "FREQ", "CRVAL3": 345.0, "CRPIX3": 1.0, "CDELT3": 0.25, "CUNIT3": "GHz",
}  # fmt: skip


def test_the_axis_of_a_cube() -> None:
    shown = Shown(sp.Array(np.zeros((5, 40, 30), np.float32), wcs=header_of(**CUBE)))
    (axis,) = shown.world.plane_axes()
    assert (axis["name"], axis["unit"]) == ("frequency", "GHz")
    np.testing.assert_allclose(axis["values"], 345 + 0.25 * np.arange(5), rtol=1e-12)
    found = shown.world.at(3, 4, (2,))
    assert found is not None
    assert found["other"] == [
        {"name": "frequency", "value": pytest.approx(345.5, rel=1e-12), "unit": "GHz"}
    ]
    known = pixel_to_skycoord(3, 4, WCS(fits.Header.fromstring(header_of(**CUBE))).celestial, 0)
    assert found["ra"] == pytest.approx(known.icrs.ra.deg, abs=1e-9)


def test_a_hypercube_has_two_axes_before_the_image() -> None:
    more = {"WCSAXES": 4, "CTYPE4": "STOKES", "CRVAL4": 1.0, "CRPIX4": 1.0, "CDELT4": 1.0}
    shown = Shown(sp.Array(np.zeros((2, 5, 4, 3), np.float32), wcs=header_of(**CUBE | more)))
    names = [(axis["name"], axis["length"]) for axis in shown.world.plane_axes()]
    assert names == [("Stokes parameter", 2), ("frequency", 5)]
    assert shown.planes == 10
    assert shown.place(7) == (1, 2)
    found = shown.world.at(0, 0, shown.place(7))
    assert found is not None
    assert [round(each["value"], 9) for each in found["other"]] == [345.5, 2.0]


def test_planes_whose_values_are_in_a_table(tmp_path: Path) -> None:
    waves = np.array([60.1, 60.2, 60.4])
    index = {"DepthIndex": waves * u.um}
    pool, ref = saved(
        tmp_path,
        image=sp.Array(np.zeros((3, 4, 5), np.float32), wcs=header_of(**IMAGE)),
        ImageIndex=sp.Table(index),
    )
    with pool:
        shown = ShownData(lambda: [pool]).array(ref.hash, "image")
        (axis,) = shown.world.plane_axes()
        assert (axis["unit"], axis["values"]) == ("um", waves.tolist())
        found = shown.world.at(1, 1, (2,))
        assert found is not None
        assert found["other"][0]["value"] == 60.4


def test_without_coordinates() -> None:
    shown = Shown(sp.Array(np.zeros((4, 5))))
    assert shown.world.at(1, 1) is None
    assert shown.world.describe() is None
    assert shown.world.compass() is None


@pytest.mark.parametrize("angle", [0, 30, 135, -90])
def test_the_compass_points_north(angle: float) -> None:
    header = sky_header(200, 100, 2 / 3600, angle)
    compass = Shown(sp.Array(np.zeros((100, 200)), wcs=header)).world.compass()
    assert compass is not None
    wcs = WCS(fits.Header.fromstring(header))
    x, y = 99.5, 49.5
    here = pixel_to_skycoord(x, y, wcs, 0)
    for name, turn in [("north", 0 * u.deg), ("east", 90 * u.deg)]:
        there = here.directional_offset_by(turn, 1 * u.arcsec)
        step = np.array(wcs.world_to_pixel(there)) - (x, y)
        np.testing.assert_allclose(compass[name], step / np.linalg.norm(step), atol=1e-4)
    assert compass["scale"] == pytest.approx(2, rel=1e-6)


def test_a_mirrored_image_has_east_on_the_other_side() -> None:
    mirrored = header_of(**{**IMAGE, "CDELT1": 0.001})
    compass = Shown(sp.Array(np.zeros((40, 30)), wcs=mirrored)).world.compass()
    assert compass is not None
    assert compass["east"][0] == pytest.approx(1, abs=1e-3)


def test_describing_an_image_loads_no_astropy(tmp_path: Path) -> None:
    import subprocess
    import sys

    pool, ref = saved(tmp_path, image=sp.Array(np.zeros((9, 9)), wcs=sky_header(9, 9)))
    pool.close()
    code = (
        "import sys, skypool as sp\n"
        "from skypool.server.data_images import describe\n"
        "from skypool.server.data_sources import ShownData\n"
        f"pool = sp.Pool({pool.path!r}, 'r')\n"
        f"found = describe(ShownData(lambda: [pool]).array({ref.hash!r}, 'image'))\n"
        "assert found['compass']['north'][1] > 0.99\n"
        "sys.exit('astropy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

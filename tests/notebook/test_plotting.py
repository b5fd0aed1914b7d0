"""Figures: coordinates, limits, labels and units; and how little is read for them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn
from astropy.table import Table as AstropyTable
from astropy.wcs import WCS

import skypool as sp
from skypool.errors import UsageError

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")

from astropy.visualization.wcsaxes import WCSAxes  # noqa: E402 (after the choice of the backend)
from matplotlib import pyplot as plt  # noqa: E402


@pytest.fixture(autouse=True)
def tidy_figures(monkeypatch):
    monkeypatch.setattr(plt, "show", lambda *a, **k: pytest.fail("show() was called"))
    yield
    plt.close("all")


def celestial(naxis: int = 2) -> WCS:
    wcs = WCS(naxis=naxis)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN", "WAVE", "STOKES"][:naxis]
    wcs.wcs.crval = [204.25, -29.86, 70e-6, 1][:naxis]
    wcs.wcs.crpix = [150, 100, 1, 1][:naxis]
    wcs.wcs.cdelt = [-1e-3, 1e-3, 2e-6, 1][:naxis]
    wcs.wcs.cunit = ["deg", "deg", "m", ""][:naxis]
    wcs.wcs.radesys = "ICRS"
    wcs.wcs.set()
    return wcs


def image(shape=(200, 300), **more) -> sp.Array:
    data = np.random.default_rng(4).normal(10, 2, shape).astype("f4")
    data[..., 120, 80] = 5000.0
    data[..., :3, :3] = np.nan
    return sp.Array(data, unit="MJy/sr", wcs=celestial(len(shape)), **more)


def bar_of(ax) -> str:
    """Return the label of the colour bar."""
    bars = [other for other in ax.figure.axes if other is not ax]
    assert len(bars) == 1
    return bars[0].get_ylabel()


def test_an_image_has_the_coordinates_of_the_sky():
    array = image()
    ax = array.plot()
    assert isinstance(ax, WCSAxes)
    ax.figure.canvas.draw()
    for x, y in [(0, 0), (80, 120), (299, 199)]:
        told = ax.wcs.pixel_to_world(x, y)
        assert told.separation(array.wcs.pixel_to_world(x, y)).arcsec < 1e-6
    assert ax.get_xlim() == (-0.5, 299.5) and ax.get_ylim() == (-0.5, 199.5)
    # The brightest pixel is drawn where the coordinates say that it is.
    drawn = ax.images[0]
    row, column = np.unravel_index(np.nanargmax(drawn.get_array()), drawn.get_array().shape)
    left, _, bottom, _ = drawn.get_extent()
    place = array.wcs.pixel_to_world(80, 120)
    assert (
        ax.wcs.pixel_to_world(left + column + 0.5, bottom + row + 0.5).separation(place).deg < 1e-9
    )
    assert ax.coords[0].get_axislabel() == "Right ascension (ICRS)"
    assert ax.coords[1].get_axislabel() == "Declination (ICRS)"
    assert bar_of(ax) == "MJy/sr"


def test_limits_are_percentiles_of_what_is_there():
    array = image()
    ax = array.plot()
    low, high = ax.images[0].get_clim()
    values = np.asarray(array)
    assert (low, high) == pytest.approx(tuple(np.nanpercentile(values, (0.5, 99.5))))
    ax = array.plot(percentiles=(10, 90))
    assert ax.images[0].get_clim() == pytest.approx(tuple(np.nanpercentile(values, (10, 90))))
    ax = array.plot(low=1, high=4000, stretch="linear")
    assert ax.images[0].get_clim() == (1, 4000)
    assert ax.images[0].norm(2000.5) == pytest.approx(0.5)
    asinh = array.plot(low=0, high=100).images[0].norm
    assert asinh(10) == pytest.approx(np.arcsinh(1) / np.arcsinh(10))
    with pytest.raises(UsageError, match="no stretch 'cubic'"):
        array.plot(stretch="cubic")


def test_axes_of_the_user_and_their_options():
    array = image()
    figure = plt.figure()
    ax = figure.add_subplot(projection=array.wcs)
    assert array.plot(ax, colorbar=False, cmap="gray", alpha=0.5) is ax
    assert ax.images[0].get_cmap().name == "gray" and ax.images[0].get_alpha() == 0.5
    assert figure.axes == [ax]
    without = figure.add_subplot()
    assert array.plot(ax=without) is without
    assert without.get_xlabel() == "x [pixel]"


def test_an_image_without_coordinates():
    ax = sp.Array(np.arange(12.0).reshape(3, 4)).plot()
    assert type(ax) is not WCSAxes
    assert ax.get_xlabel() == "x [pixel]" and ax.get_xlim() == (-0.5, 3.5)
    flat = sp.Array(np.zeros((3, 4))).plot()
    low, high = flat.images[0].get_clim()
    assert low < high
    flat.figure.canvas.draw()


def test_a_galactic_image():
    wcs = celestial()
    wcs.wcs.ctype = ["GLON-CAR", "GLAT-CAR"]
    ax = sp.Array(np.eye(200, 300), wcs=wcs).plot()
    assert ax.coords[0].get_axislabel() == "Galactic longitude"


def test_planes_of_a_cube():
    cube = image((5, 200, 300))
    ax = cube.plot(plane=3)
    assert isinstance(ax, WCSAxes)
    assert ax.get_title() == "plane 3: 7.6e-05 m"
    assert np.array_equal(ax.images[0].get_array().data, cube[3], equal_nan=True)
    here = SkyCoord(ax.coords[0].coord_unit * 204.25, ax.coords[1].coord_unit * -29.86)
    assert here.separation(cube.wcs.celestial.pixel_to_world(149, 99)).arcsec < 1e-6
    ax.figure.canvas.draw()
    assert ax.coords[0].get_axislabel() == "Right ascension (ICRS)"
    assert cube.plot().get_title().startswith("plane 2:")
    assert cube.plot(plane=-1).get_title().startswith("plane 4:")
    with pytest.raises(UsageError, match="no plane 5 among 5 planes"):
        cube.plot(plane=5)
    with pytest.raises(UsageError, match="no plane 1 among no planes"):
        image().plot(plane=1)


def test_more_axes_than_three():
    cube = image((2, 5, 200, 300))
    ax = cube.plot(plane=(1, 2))
    assert np.array_equal(ax.images[0].get_array().data, cube[1, 2], equal_nan=True)
    assert ax.get_title().startswith("plane 1, 2:")
    # Coordinates with more axes than the array: those that are left have one pixel.
    flat = sp.Array(np.eye(200, 300), wcs=celestial(3))
    assert isinstance(flat.plot(), WCSAxes)


def test_the_spectrum_at_a_pixel():
    cube = image((5, 200, 300))
    ax = cube.plot(pixel=(80, 120))
    line = ax.lines[0]
    assert np.array_equal(line.get_ydata(), [5000.0] * 5)
    assert line.get_xdata() == pytest.approx(70e-6 + 2e-6 * np.arange(5))
    assert ax.get_xlabel() == "Wavelength [m]" and ax.get_ylabel() == "MJy/sr"
    with pytest.raises(UsageError, match="outside"):
        cube.plot(pixel=(300, 0))
    with pytest.raises(UsageError, match="only a cube"):
        image().plot(pixel=(0, 0))


def test_a_spectrum_is_a_line_with_units():
    wcs = WCS(naxis=1)
    wcs.wcs.ctype, wcs.wcs.cunit = ["FREQ"], ["Hz"]
    wcs.wcs.crval, wcs.wcs.cdelt, wcs.wcs.crpix = [5e11], [1e9], [1]
    spectrum = sp.Array(np.arange(100.0), unit="Jy", wcs=wcs, description="flux")
    ax = spectrum.plot(color="green")
    assert ax.get_xlabel() == "Frequency [Hz]" and ax.get_ylabel() == "flux [Jy]"
    assert ax.lines[0].get_xdata()[10] == pytest.approx(5.1e11)
    assert ax.lines[0].get_color() == "green"
    assert sp.Array([1, 2, 3]).plot().get_xlabel() == "pixel"


def test_columns_of_tables():
    table = AstropyTable(
        {
            "name": ["a", "b", "c", "d"],
            "wave": [4.0, 3.0, 2.0, 1.0],
            "flux": MaskedColumn([1.0, 2.0, 3.0, 4.0], mask=[0, 1, 0, 0]),
            "error": [0.1, 0.2, 0.1, 0.3],
            "ra": [10.0, 12.0, 11.0, 9.0],
        }
    )
    table["wave"].unit, table["flux"].unit, table["error"].unit = "um", "Jy", "Jy"
    dataset = sp.Table(table)
    ax = dataset.plot()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("wave [um]", "flux [Jy]")
    assert ax.lines[0].get_linestyle() == "-"
    assert np.array_equal(ax.lines[0].get_ydata(), [1, np.nan, 3, 4], equal_nan=True)
    scattered = dataset.plot("ra", "error")
    assert scattered.lines[0].get_linestyle() == "None" and scattered.lines[0].get_marker() == "."
    two = dataset.plot("wave", ["flux", "error"])
    assert [text.get_text() for text in two.get_legend().get_texts()] == ["flux", "error"]
    assert two.get_ylabel() == "Jy"
    rows = dataset.plot("", "error")
    assert rows.get_xlabel() == "row" and list(rows.lines[0].get_xdata()) == [0, 1, 2, 3]
    assert dataset["error"].plot().get_ylabel() == "error [Jy]"
    with pytest.raises(UsageError, match="'name' holds no numbers"):
        dataset.plot("name", "flux")
    with pytest.raises(UsageError, match="no numbers to draw"):
        sp.Table({"a": ["x"]}).plot()


def test_spectra_in_cells():
    one = sp.Table({"wave": [np.arange(5.0)], "flux": [np.arange(5.0) ** 2]})
    assert list(one.plot().lines[0].get_ydata()) == [0, 1, 4, 9, 16]
    mixed = sp.Table({"a": [[1.0, 2.0], [3.0, 4.0]], "b": [1.0, 2.0], "c": [3.0, 4.0]})
    assert mixed.plot().get_ylabel() == "c"
    two = sp.Table({"wave": [np.arange(5.0)] * 2, "flux": [np.arange(5.0)] * 2})
    assert len(two.plot(row=1).lines[0].get_ydata()) == 5
    with pytest.raises(UsageError, match="arrays in its cells"):
        two.plot()


def test_products_and_references(tmp_path):
    inner = sp.Composite({"cube": image((5, 200, 300))})
    product = sp.Product(
        type="PXMP", datasets={"error": np.eye(4), "image": image(), "more": inner}
    )
    assert product.plot().get_title() == "PXMP: image"
    assert product.plot("error").get_title() == "PXMP: error"
    assert product.plot("more/cube", plane=1).get_title() == "PXMP: more/cube, plane 1: 7.2e-05 m"
    with pytest.raises(UsageError, match="plot one of them"):
        product.plot("more")
    with sp.Pool(tmp_path / "pool") as pool:
        ref = pool.save(product, name="maps/$m_83$")
        figure = ref.plot().figure
        assert figure.axes[0].get_title() == r"\$m_83\$@0: image"
        figure.canvas.draw()  # the dollars begin no formula
        assert ref.product.plot("error").get_title() == r"\$m_83\$@0: error"
        tree = pool.save(sp.Product(kind="MapContext", refs={"a": ref}), name="tree")
        with pytest.raises(UsageError, match="nothing that can be drawn") as caught:
            tree.plot()
        assert caught.value.candidates == ("a",)
    assert sp.Product(datasets={"error": np.eye(4)}).plot().images
    assert (
        sp.Product(datasets={"dq": np.eye(4), "t": AstropyTable({"a": [1], "b": [2]})}).plot().lines
    )
    with pytest.raises(UsageError, match="nothing to draw"):
        sp.Array(np.zeros((0, 4))).plot()


def test_a_huge_image_is_not_read_for_a_small_figure(tmp_path):
    """Of an image beyond the budget, few tiles are read; drawing adds nothing."""
    data = np.zeros((6000, 4000), "f8")
    data += np.arange(4000)
    with sp.Pool(tmp_path / "pool") as pool:
        pool.save(sp.Product(datasets={"image": sp.Array(data, copy=False)}), name="huge")
    with sp.Pool(tmp_path / "pool", "r") as pool:
        array = pool["huge"].product["image"]
        read = []
        source = array.source
        original = type(source).read

        def spy(self, index):
            part = original(self, index)
            read.append(part.nbytes)
            return part

        type(source).read = spy
        try:
            figure, ax = plt.subplots(figsize=(3, 3))
            array.plot(ax)
            figure.canvas.draw()
        finally:
            type(source).read = original
    assert 0 < sum(read) <= 64 * 1024**2 < data.nbytes
    assert ax.get_xlim() == (-0.5, 3999.5) and ax.get_ylim() == (-0.5, 5999.5)
    drawn = ax.images[0]
    assert drawn.get_array().size < 2048**2
    left, right, bottom, top = drawn.get_extent()
    assert right >= 3999.5 and top >= 5999.5 and (left, bottom) == (-0.5, -0.5)
    middle = drawn.get_array()[drawn.get_array().shape[0] // 2]
    centres = left + (np.arange(len(middle)) + 0.5) * (right - left) / len(middle)
    assert np.abs(np.ma.compressed(middle) - centres[: len(middle)]).max() < 600


def test_every_pixel_where_it_is_asked_for():
    array = image((1500, 1600))
    _, small = plt.subplots(figsize=(2, 2))
    coarse = array.plot(small).images[0].get_array()
    assert coarse.size < array.size / 4
    full = array.plot(full=True).images[0].get_array()
    assert full.shape == array.shape


def test_huge_columns_are_read_in_parts(monkeypatch):
    monkeypatch.setattr("skypool.web.plot_lines.BUDGET", 200_000)
    table = sp.Table({"time": np.arange(300_000.0), "flux": np.ones(300_000)})
    ax = table.plot()
    shown = ax.lines[0].get_ydata()
    assert len(shown) == 32769 and np.isnan(shown[-1])
    assert [text.get_text() for text in ax.texts] == ["1 of 24 blocks of 32,768"]
    assert ax.lines[0].get_linestyle() == "-"


def test_without_matplotlib_the_extra_is_named():
    code = (
        "import sys\nsys.modules['matplotlib'] = None\n"
        "import skypool as sp\nfrom skypool.errors import MissingDependency\n"
        "try:\n    sp.Array([1, 2]).plot()\n"
        "except MissingDependency as error:\n    sys.exit('skypool[plot]' not in str(error))\n"
        "sys.exit(2)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_only_plot_loads_matplotlib():
    code = "import sys, skypool.pool.pool, skypool.model.arrays, skypool.model.tables\n"
    code += "sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""Arrays and columns in numpy: operators, functions, indices, reductions along axes."""

from __future__ import annotations

import operator
import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.convolution import convolve
from astropy.table import MaskedColumn, QTable, Table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import skypool as sp
from skypool.codec.statistics import Statistics
from skypool.errors import UsageError
from skypool.model.arrays import MemoryArray
from skypool.model.reductions import tile_shape, tiles
from skypool.testing.strategies import array_values


class Tiled(MemoryArray):
    """An array with small tiles that notes what is read."""

    tile = (3, 2, 4)

    def __init__(self, data, tile=None, *, statistics=False):
        super().__init__(data)
        self.tile = tuple(max(1, t) for t in (tile or self.tile)[: data.ndim])
        self.parts = []
        if statistics:
            self.statistics = Statistics.of([data[p] for p in tiles(data.shape, self.tile)])

    def read(self, index):
        found = super().read(index)
        self.parts.append((index, found.size))
        return found

    @property
    def values_read(self):
        return sum(size for _, size in self.parts)


def integers(length):
    return st.integers(-length, length - 1) if length else st.nothing()


@st.composite
def indices(draw, shape):
    """Indices of every sort numpy knows, mostly valid ones."""
    items = []
    axis = 0
    advanced = draw(npst.array_shapes(min_dims=0, max_dims=2, min_side=1, max_side=4))
    while axis < len(shape):
        length = shape[axis]
        sort = draw(st.sampled_from(["slice", "int", "array", "list", "mask", "none", "stop"]))
        if sort == "stop":
            break
        if sort == "none":
            items.append(None)
            continue
        if sort == "slice" or not length:
            items.append(draw(st.slices(length)))
        elif sort == "int":
            items.append(draw(integers(length)))
        elif sort == "list":
            items.append(draw(st.lists(integers(length), min_size=1, max_size=4)))
        elif sort == "array":
            items.append(draw(npst.arrays(np.int64, advanced, elements=integers(length))))
        else:
            axes = draw(st.integers(1, len(shape) - axis))
            items.append(draw(npst.arrays(bool, shape[axis : axis + axes])))
            axis += axes - 1
        axis += 1
    if draw(st.booleans()):
        items.append(Ellipsis)
    return tuple(items) if len(items) != 1 or draw(st.booleans()) else items[0]


SHAPES = npst.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=9)


def check_index(data, index):
    array = sp.Array(Tiled(data, (3, 2, 4, 2)))
    try:
        expected = data[index]
    except (IndexError, ValueError):
        with pytest.raises((IndexError, ValueError)):
            array[index]
        return
    found = array[index]
    assert np.shape(found) == np.shape(expected)
    assert np.array_equal(found, expected)
    assert np.asarray(found).dtype == data.dtype


@given(st.data())
def test_any_index_means_what_numpy_means(data):
    shape = data.draw(SHAPES)
    check_index(np.arange(np.prod(shape)).reshape(shape), data.draw(indices(shape)))


@pytest.mark.campaign
@settings(max_examples=20000, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_index_at_length(data):
    shape = data.draw(SHAPES)
    check_index(np.arange(np.prod(shape)).reshape(shape), data.draw(indices(shape)))


def test_fancy_indices_read_the_tiles_that_they_touch():
    source = Tiled(np.arange(10000.0).reshape(100, 100), (10, 10))
    array = sp.Array(source)
    assert array[[3, 95], [4, 96]].tolist() == [304.0, 9596.0]
    assert source.values_read == 2
    mask = np.zeros((100, 100), bool)
    mask[42:45, 17] = True
    assert array[mask].tolist() == [4217.0, 4317.0, 4417.0]
    assert source.values_read == 5
    assert array[[99, 0]].shape == (2, 100)
    assert source.values_read == 205
    source.parts.clear()
    array[::-1, 5]
    assert source.values_read == 100
    for bad in ([100], np.zeros((3, 3), bool), [1.5], (0, 0, 0), "name"):
        source.parts.clear()
        with pytest.raises(IndexError):
            array[bad]
        assert source.values_read == 0


BINARY = (
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv),
    *(operator.mod, operator.pow, operator.eq, operator.ne, operator.lt, operator.le),
    *(operator.gt, operator.ge),
)


@pytest.mark.parametrize("name", BINARY, ids=lambda f: f.__name__)
def test_operators_are_those_of_numpy(name):
    data = np.arange(1, 13, dtype="f4").reshape(3, 4)
    array, other = sp.Array(data, "Jy"), sp.Array(data[::-1].copy(), "Jy")
    for left, right, expected in (
        (array, 2, name(data, 2)),
        (2, array, name(2, data)),
        (array, other, name(data, data[::-1])),
        (data, array, name(data, data)),
        (array, data[0], name(data, data[0])),
        (np.float64(2), array, name(np.float64(2), data)),
    ):
        found = name(left, right)
        assert type(found) is np.ndarray
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected)


def test_other_operators():
    data = np.array([[1, -2], [3, 0]])
    array = sp.Array(data)
    assert np.array_equal(-array, -data)
    assert np.array_equal(abs(array), abs(data))
    assert np.array_equal(array @ data, data @ data)
    assert np.array_equal(data @ array, data @ data)
    assert np.array_equal(~sp.Array(data > 0), data <= 0)
    assert np.array_equal((array > 0) & sp.Array(data < 3), (data > 0) & (data < 3))
    assert [part.tolist() for part in divmod(array, 2)] == [p.tolist() for p in divmod(data, 2)]
    assert np.array_equal(array.T, data.T)
    assert array.astype("f4").dtype == np.float32
    assert (array.item(0, 1), array.item(2), sp.Array(7).item()) == (-2, 3, 7)
    assert array.tolist() == data.tolist()
    assert {array: 1}[array] == 1
    with pytest.raises(TypeError, match="in place"):
        array += 1
    with pytest.raises(TypeError, match="in place"):
        np.add.at(array, 0, 1)
    with pytest.raises(TypeError, match="in place"):
        np.add(data, 1, out=array)
    target = np.zeros((2, 2))
    assert np.add(array, 1, out=target) is target
    assert np.array_equal(np.add.outer(array, [1, 2]), np.add.outer(data, [1, 2]))
    assert np.array_equal(np.add.reduce(array, axis=0), data.sum(axis=0))


def test_units_take_part_where_a_quantity_does():
    array = sp.Array([1.0, 2.0], "Jy")
    assert type(np.add(array, 1)) is np.ndarray
    for found in (array + 1000 * u.mJy, 1000 * u.mJy + array):
        assert isinstance(found, u.Quantity)
        assert np.allclose(found.to_value(u.Jy), [2, 3])
    assert (array * u.Quantity(2, "s")).unit == u.Jy * u.s
    assert np.allclose(np.concatenate([array, [3000] * u.mJy]).to_value("Jy"), [1, 2, 3])
    assert np.array_equal(array > 1500 * u.mJy, [False, True])
    with pytest.raises(u.UnitsError):
        array + 1 * u.s
    with pytest.raises(u.UnitsError):
        sp.Array([1.0]) + 1 * u.s
    with pytest.raises(UsageError, match="parrots"):
        sp.Array([1.0], "parrots") + 1 * u.s


def test_numbers_of_different_units_are_not_mixed():
    jy, mjy = sp.Array([1.0], "Jy"), sp.Array([1000.0], "mJy")
    for function in (np.add, np.subtract, np.greater, np.equal, np.maximum):
        with pytest.raises(UsageError, match="Jy and mJy"):
            function(jy, mjy)
    assert jy * mjy == 1000
    assert jy + sp.Array([1.0]) == 2
    assert sp.Array([1.0], "micron") + sp.Array([1.0], "um") == 2
    assert np.allclose((jy.to_quantity() + mjy.to_quantity()).value, 2)


FUNCTIONS = {
    "sum": np.sum, "mean": np.mean, "std": np.std, "median": np.median, "max": np.max,
    "min": np.min, "amax": np.amax, "nanmax": np.nanmax, "nanmin": np.nanmin, "any": np.any,
    "all": np.all, "cumsum": np.cumsum, "sort": np.sort, "isnan": np.isnan, "shape": np.shape,
    "size": np.size, "ndim": np.ndim, "zeros_like": np.zeros_like, "transpose": np.transpose,
    "argmax": np.argmax, "percentile": lambda a: np.percentile(a, 30), "unique": np.unique,
    "clip": lambda a: np.clip(a, 1, 5), "where": lambda a: np.where(a > 3, a, 0),
    "stack": lambda a: np.stack([a, a]), "block": lambda a: np.block([[a], [a]]),
    "full_like": lambda a: np.full_like(a, 7), "full": lambda a: np.full_like(a, 7, int),
    "ones": lambda a: np.ones_like(a, dtype="i2", shape=(3,)),
    "einsum": lambda a: np.einsum("ijk->k", a),
    "isclose": lambda a: np.isclose(a, a),
    "array_equal": lambda a: np.array_equal(a, a, equal_nan=True),
    "size of axis": lambda a: np.size(a, 0), "max along": lambda a: np.max(a, axis=0),
    "keepdims": lambda a: np.max(a, keepdims=True), "initial": lambda a: np.max(a, initial=100),
    "result_type": lambda a: np.result_type(a, np.int8), "iscomplexobj": np.iscomplexobj,
    "isrealobj": np.isrealobj, "histogram": lambda a: np.histogram(a, 3, (0, 10))[0],
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("known", [False, True])
def test_functions_are_those_of_numpy(name, known):
    data = np.arange(60, dtype="f4").reshape(3, 4, 5)
    for values in (data, np.where(data == 7, np.nan, data), data.astype("i2"), data > 30):
        values = values.astype("f4") if values.dtype == np.float64 else values
        if name in ("histogram", "percentile", "einsum") and values.dtype == bool:
            continue
        array = sp.Array(Tiled(values, statistics=known))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected, found = FUNCTIONS[name](values), FUNCTIONS[name](array)
        assert type(found) is type(expected)
        if not isinstance(expected, np.ndarray | np.generic):
            assert found == expected
            continue
        assert np.array_equal(found, expected, equal_nan=expected.dtype.kind == "f")
        assert getattr(found, "dtype", None) == getattr(expected, "dtype", None)


def test_functions_that_need_no_values_read_none():
    data = np.random.default_rng(1).normal(size=(40, 50)).astype("f4")
    source = Tiled(data, (10, 10), statistics=True)
    array = sp.Array(source)
    assert np.max(array) == data.max()
    assert np.nanmin(array) == data.min()
    assert (np.shape(array), np.size(array), np.ndim(array)) == ((40, 50), 2000, 2)
    assert np.zeros_like(array).shape == (40, 50)
    assert np.result_type(array, np.float64) == np.float64
    assert source.values_read == 0


@given(array_values(max_dims=3), st.data())
def test_reductions_along_axes(data, draw):
    if not data.ndim or data.dtype.kind == "c":
        return
    axes = draw.draw(st.sets(st.integers(-data.ndim, data.ndim - 1), min_size=1))
    axis = tuple({n % data.ndim for n in axes})
    axis = axis if len(axis) > 1 or draw.draw(st.booleans()) else axis[0]
    array = sp.Array(Tiled(data))
    values = data.astype("f8")
    scale = float(np.nanmax(np.abs(values[np.isfinite(values)]), initial=1e-300))
    for name in ("max", "min", "count", "any", "all", "sum", "mean", "std", "median"):
        check_along(array, data, values, name, axis, scale)


def check_along(array, data, values, name, axis, scale):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        if name in ("max", "min"):
            if any(data.shape[n] == 0 for n in np.atleast_1d(axis)):
                return
            expected = getattr(np, f"nan{name}")(data, axis=axis)
        elif name == "count":
            expected = (~np.isnan(values)).sum(axis=axis)
        elif name == "any":
            expected = (np.nan_to_num(values, nan=0.0) != 0).any(axis=axis)
        elif name == "all":
            expected = (np.where(np.isnan(values), 1, values) != 0).all(axis=axis)
        else:
            expected = getattr(np, f"nan{name}")(values, axis=axis)
    found = getattr(array, name)(axis=axis)
    assert np.shape(found) == np.shape(expected)
    if name in ("max", "min", "count", "any", "all"):
        assert np.array_equal(found, expected, equal_nan=np.asarray(expected).dtype.kind == "f")
    elif scale < 1e150:
        known = np.isfinite(expected)
        assert np.allclose(found[known], expected[known], rtol=1e-9, atol=1e-7 * scale)
        assert np.isnan(found[np.isnan(expected)]).all()


def test_reductions_along_axes_hold_little_memory():
    source = Tiled(np.ones((50, 60, 70), "f4"), (10, 10, 10))
    array = sp.Array(source)
    assert np.array_equal(array.mean(axis=0), np.ones((60, 70)))
    assert source.values_read == 50 * 60 * 70
    assert max(size for _, size in source.parts) == 1000
    assert array.sum(axis=(0, 1)).shape == (70,)
    assert isinstance(array.sum(axis=(0, 1, 2)), np.ndarray)
    with pytest.raises(ValueError, match="out of bounds"):
        array.max(axis=3)
    with pytest.raises(TypeError):
        sp.Array(np.ones(3, complex)).max(axis=0)


def test_columns_compute_as_arrays_do():
    flux = np.array([1.0, 2.0, 5.0])
    table = sp.Table({
        "flux": flux * u.Jy,
        "n": np.ma.MaskedArray([1, 2, 3], [0, 1, 0]),
        "v": np.arange(6.0).reshape(3, 2),
        "name": ["a", "b", "c"],
    })  # fmt: skip
    assert np.array_equal(table["flux"] > 1.5, flux > 1.5)
    assert np.array_equal(table[table["flux"] > 1.5]["name"], ["b", "c"])
    assert np.allclose((table["flux"] + 1 * u.Jy).value, flux + 1)
    assert np.allclose(np.log10(table["flux"]), np.log10(flux))
    assert np.max(table["flux"]) == 5
    assert isinstance(table["n"] + 1, np.ma.MaskedArray)
    assert (table["n"] + 1).mask.tolist() == [False, True, False]
    assert table["v"].mean(axis=0).tolist() == [2, 3]
    assert table["v"].max(axis=1).tolist() == [1, 3, 5]
    assert table["n"][[2, 1]].mask.tolist() == [False, True]
    assert table["flux"][np.array([True, False, True])].tolist() == [1, 5]
    assert np.array_equal(table["name"] == "b", [False, True, False])
    with pytest.raises(IndexError):
        table["flux"][[7]]
    with pytest.raises(IndexError):
        table["flux"][[True]]
    with pytest.raises(UsageError, match="missing"):
        table["n"].mean(axis=0)


def test_dlpack():
    data = np.arange(6.0).reshape(2, 3)
    taken = np.from_dlpack(sp.Array(data))
    assert np.array_equal(taken, data)
    assert tile_shape((2, 3), 8) == (2, 3)
    assert sp.Array(data).__dlpack_device__() == (1, 0)


@given(array_values(max_dims=3))
def test_numpy_sees_the_values(data):
    array = sp.Array(data)
    assert np.asarray(array).dtype == data.dtype
    assert np.array_equal(np.array(array, copy=True), data, equal_nan=data.dtype.kind in "fc")
    assert not np.asarray(array).flags.writeable
    assert np.array(array).flags.writeable


def test_datasets_are_equal_where_they_are_the_same():
    first = sp.Product(datasets={"a": np.ones(3), "t": {"b": np.ones(3)}})
    other = sp.Product(datasets={"a": np.ones(3), "t": {"b": np.ones(3)}})
    assert first.datasets != other.datasets
    assert first.datasets == first.replace(meta={"x": 1}).datasets
    assert first["t"] != other["t"]
    assert first["t"] == first["t"]
    assert first.datasets != {"a": 1}


def test_units_of_astropy_beside_datasets():
    """As beside numpy's arrays: not arrays of objects, not numbers without their unit."""
    flux, plain = sp.Array(np.ones((3, 4), "f4"), "Jy"), sp.Array(np.full(3, 2.0))
    assert (flux * u.s).unit == u.Jy * u.s and (flux * u.s).dtype == np.float32
    assert (u.s / flux).unit == u.s / u.Jy
    assert (flux / u.beam).unit == u.Jy / u.beam
    assert (plain * u.km).unit == (plain << u.km).unit == u.km
    assert (flux << u.mJy)[0, 0] == 1000 * u.mJy
    with pytest.raises(UsageError, match="1 \\* unit"):
        flux + u.s
    with pytest.raises(UsageError, match="blob"):
        sp.Array([1.0], "Jy/blob") * u.s


def test_missing_values_are_nan_where_nobody_knows_masks():
    """Not the numbers that stand in for them."""
    masked = Table({"n": MaskedColumn([1, 2, 3], mask=[0, 1, 0], unit="m")})
    table = sp.Table(masked)
    n, plain = table["n"], sp.Table({"n": np.ma.MaskedArray([1, 2, 3], [0, 1, 0])})["n"]
    wanted = np.array([1, np.nan, 3])
    for found in (np.asarray(n), n * (1 * u.one), n * u.s, n << u.m, plain * (1 * u.s)):
        assert np.array_equal(np.asarray(found), wanted, equal_nan=True)
    assert np.array_equal((n + 1 * u.km).to_value(u.m), wanted + 1000, equal_nan=True)
    assert np.asarray(n, "f4").dtype == np.float32
    assert isinstance(n.value, np.ma.MaskedArray) and n.value.mask.tolist() == [0, 1, 0]
    assert np.asarray(n[:1]).dtype.kind == "i"
    with pytest.raises(UsageError, match="int64 has no sign"):
        np.asarray(n, int)
    large = sp.Table({"id": np.ma.MaskedArray([2**60 + 1, 2], [0, 1])})["id"]
    with pytest.raises(UsageError, match="too large"):
        np.asarray(large)
    assert QTable(table)["n"].unit == u.m and Table(table)["n"].mask.tolist() == [0, 1, 0]


def test_what_numpys_arrays_have_is_told(pool):
    image = pool["image"].product["image"]
    with pytest.raises(AttributeError, match=r"numpy.asarray\(...\).flatten"):
        image.flatten()
    with pytest.raises(AttributeError, match=r"no attribute 'flat_field'$"):
        image.flat_field()
    assert not hasattr(image, "chunks") and not hasattr(image, "ravel")


def test_astropy_convolves(pool):
    kernel = np.ones((3, 3))
    image = pool["image"].product["image"]
    part = sp.Array(image[200:220, 300:330], image.unit)
    found = convolve(part, kernel)
    assert found.unit == image.unit
    assert np.array_equal(found.value, convolve(part[:], kernel))

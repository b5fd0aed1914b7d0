"""Coverage that is worked out from headers at hand is that of the stored document."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from skypool.catalogue.coverages import coverage_of_document
from skypool.catalogue.coverages_at_hand import coverage_from_headers
from skypool.codec.deferring import Deferral
from skypool.codec.digest import digest
from skypool.codec.documents import dumps
from skypool.formats.fits.reader import FitsFormat
from skypool.pool.inplace import InPlaceSink
from skypool.storage.inplace import FileSource


class Chunks(dict):
    """A sink in memory."""

    def put(self, raw, itemsize=1):
        data = memoryview(raw).cast("B").tobytes()
        self[digest(data)] = data
        return digest(data)

    def stream(self, itemsize=1):
        return self


def header(kind="TAN", **more):
    cards = {
        "CTYPE1": f"RA---{kind}", "CTYPE2": f"DEC--{kind}", "CRVAL1": 10.0, "CRVAL2": 20.0,
        "CRPIX1": 8.5, "CRPIX2": 8.5, "CDELT1": -0.01, "CDELT2": 0.01,
    }  # fmt: skip
    return fits.Header((cards | more).items())


def values(*holes, shape=(16, 12)):
    data = np.arange(1, np.prod(shape) + 1, dtype=np.float32).reshape(shape)
    for place in holes:
        data[place] = np.nan
    return data


def image(data, name="image", **cards):
    return fits.ImageHDU(data, header(**cards), name=name)


def table(**columns):
    return fits.BinTableHDU.from_columns(
        [fits.Column(name, "D", array=np.array(numbers)) for name, numbers in columns.items()]
    )


FILES = {
    "one image": [fits.PrimaryHDU(values(), header())],
    "with holes": [fits.PrimaryHDU(values((0, 0), 5), header())],
    "blank": [fits.PrimaryHDU(values(slice(None)), header())],
    "many tiles": [fits.PrimaryHDU(values(shape=(1100, 1300)), header())],
    "integers": [fits.PrimaryHDU(np.arange(192, dtype="i2").reshape(16, 12), header())],
    "another projection": [fits.PrimaryHDU(values(), header(kind="SIN"))],
    "a cube": [fits.PrimaryHDU(values(shape=(3, 16, 12)), header(CTYPE3="FREQ", CRVAL3=1e9))],
    "signal and weights": [fits.PrimaryHDU(), image(values()), image(values() * 0, "coverage")],
    "an error map beside": [fits.PrimaryHDU(), image(values()), image(values((1, 1)), "error")],
    "two images": [fits.PrimaryHDU(values(), header()), image(values(), CRVAL1=200.0)],
    "without coordinates": [fits.PrimaryHDU(values(), fits.Header([("OBJECT", "M 31")]))],
    "compressed": [fits.PrimaryHDU(), fits.CompImageHDU(values(), header())],
    "positions in a table": [fits.PrimaryHDU(), table(ra=[1.0, 2.0], dec=[3.0, 4.0])],
    "an image and a table": [fits.PrimaryHDU(values(), header()), table(ra=[1.0], dec=[3.0])],
    "distortions in tables": [
        fits.PrimaryHDU(values(), header(CPDIS1="LOOKUP")),
        image(values(), "WCSDVARR"),
    ],
}  # fmt: skip
# Files of which more than headers is needed, whether their pixels are read or not.
MORE = {"with holes", "compressed", "positions in a table", "an image and a table",
        "distortions in tables", "signal and weights"}  # fmt: skip


@pytest.mark.parametrize("deferred", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_headers_say_what_chunks_say(name, deferred, tmp_path):
    path = tmp_path / "a.fits"
    fits.HDUList([hdu.copy() for hdu in FILES[name]]).writeto(path)
    chunks = Chunks()
    with FileSource(path) as source:
        sink = chunks
        if deferred:
            sink = InPlaceSink(chunks, Deferral(str(path), source.size, 0))
        found = FitsFormat().read(source, sink, "a.fits")
        if deferred:
            sink.keep_headers(found.document)

    document = chunks.put(dumps(found.document))
    expected = coverage_of_document(document, chunks.__getitem__, lambda *_: None)
    quick = coverage_from_headers(found.document, found.headers)
    assert quick in (None, expected)
    if name not in MORE:
        assert quick == expected

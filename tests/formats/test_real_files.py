"""All real FITS files: every byte comes back, and every HDU that astropy reads has equal values.

Run as a program, it prints the table of what is typed and what is not, and why.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from fits_oracle import Stored, compare

from skypool.formats.gzip import rewrap

# Columns in which astropy 8.0 is wrong: the first has TZERO applied to its first row alone, the
# second is shifted by a column of width zero before it.
FOOTPRINTS = "lsst+afw/tests__data__old-footprint-persistence.fits"
ZERO_WIDTH = "spacetelescope+PyFITS/lib__pyfits__tests__data__zerowidth.fits"
WRONG_IN_ASTROPY = {
    FOOTPRINTS: "column heavyMask: row 1 differs",
    ZERO_WIDTH: "column ANNAME: values differ",
}
# What must never be taken for a whole file, and what is said of it.
REASONS = {
    "splw_crlf_damage.fits": "bytes were lost or added",
    "splw_double_gz.fits.gz": "content is not",
    "splw_empty.fits": "empty",
    "splw_ext_cut_at_block.fits": "HDU 3: the data should end at byte 272144",
    "splw_gz_truncated.fits.gz": "cut short",
    "splw_header_nul_padded.fits": "must be blank",
    "splw_latin1_in_card.fits": "0xE4",
    "splw_naxis_negative.fits": "NAXIS is -1",
    "splw_no_end_card.fits": "no END card",
    "splw_no_final_padding.fits": "fill are missing",
    "splw_simple_F.fits": "SIMPLE is not T",
    "splw_tab_in_card.fits": "0x09",
    "splw_trunc_mid_data.fits": "HDU 7",
    "splw_trunc_mid_header.fits": "within the header",
    "splw_utf8_in_card.fits": "0xC3",
}
HARMLESS = {
    "splw_dup_extname.fits": "",
    "splw_extra_zero_blocks.fits": "zero bytes behind the last HDU",
    "splw_garbage_tail.fits": "132 bytes that belong to no HDU",
    "splw_gz_named_fits.fits": "",
    "splw_lower_case_key.fits": "",
    "splw_plain_named_gz.fits.gz": "",
}
# More than 100 MB of pixels inside: bytes only.
LARGE = 100_000_000


def real_files(data):
    """Names and paths of all FITS files, wrapped or not, by the manifest."""
    for line in (data / "manifest.tsv").read_text().splitlines()[1:]:
        name, *_, special = line.split("\t")
        if "format=fits" in special or "format=gz-fits" in special:
            yield name, data / "files" / name


def stored_files(data, limit=None):
    for name, path in real_files(data):
        content = path.read_bytes()
        if limit is None or len(content) <= limit:
            yield name, content, Stored(content, path.name)


@pytest.fixture(scope="module")
def outcomes(shared_data):
    """What became of each file: (name, reason, verdicts by HDU)."""
    found = []
    for name, content, stored in stored_files(shared_data):
        inside = stored.rebuilt()
        assert _export(stored, inside) == content, name
        if stored.imported.reason is not None:
            found.append((name, stored.imported.reason, []))
            continue
        verdicts = compare(stored, inside) if len(inside) < LARGE else []
        found.append((name, "", verdicts))
    return found


def _export(stored, inside):
    wrapper = stored.recipe.get("wrapper")
    if wrapper is None:
        return inside
    made = rewrap([inside], wrapper, stored.sink.fetch)
    data = b"".join(made)
    assert made.exact
    return data


def test_every_unit_that_astropy_reads_has_equal_values(outcomes):
    assert len(outcomes) >= 480
    wrong = []
    for name, _, verdicts in outcomes:
        for number, sort, verdict in verdicts:
            if verdict in ("equal", "no data") or verdict.startswith("astropy fails"):
                continue
            if WRONG_IN_ASTROPY.get(name) != verdict:
                wrong.append((name, number, sort, verdict))
    assert not wrong


def test_files_that_astropy_reads_are_typed(outcomes):
    """Opaque are only the derived files, and those that break the standard like them."""
    reasons = {name: reason for name, reason, _ in outcomes if reason}
    others = {name: reason for name, reason in reasons.items() if "derived_nasty" not in name}
    for name, reason in others.items():
        cut = "the data should end" in reason or "within the fill of the header" in reason
        assert cut or "SIMPLE is not T" in reason, (name, reason)
    assert len(others) <= 10


@pytest.mark.parametrize("name", REASONS)
def test_damaged_files_are_opaque_with_the_reason(shared_data, name):
    content = (shared_data / "files/derived_nasty" / name).read_bytes()
    stored = Stored(content, name)
    assert stored.rebuilt() == content or stored.recipe["wrapper"]
    assert stored.document["kind"] == "File"
    assert REASONS[name] in stored.imported.reason
    assert stored.recipe["reason"] == stored.imported.reason


@pytest.mark.parametrize("name", HARMLESS)
def test_odd_files_without_doubt_are_typed(shared_data, name):
    content = (shared_data / "files/derived_nasty" / name).read_bytes()
    stored = Stored(content, name)
    assert stored.imported.reason is None
    assert stored.document["kind"] == "SimpleImage"
    assert HARMLESS[name] in "".join(stored.recipe.get("notes", [""]))
    verdicts = {verdict for _, _, verdict in compare(stored, stored.rebuilt())}
    assert verdicts == {"equal", "no data"}


def test_values_where_astropy_is_wrong(shared_data):
    """The bytes of the files, taken apart by hand."""
    stored = Stored((shared_data / "files" / FOOTPRINTS).read_bytes())
    masks = stored.by_hdu()[1][1]["heavyMask"][:]
    assert masks[1].dtype == np.uint16
    assert masks[1][:5].tolist() == [1072, 1072, 1072, 1072, 32]
    stored = Stored((shared_data / "files" / ZERO_WIDTH).read_bytes())
    table = stored.by_hdu()[2][1]
    assert table["ANNAME"][:2].tolist() == ["VLA:_W16", "VLA:_N16"]
    assert table["ANNAME"][-1:].tolist() == ["VPT:_OUT"]
    assert table["NOSTA"][:].tolist() == list(range(1, 30))


def test_tables_that_astropy_cannot_read(shared_data):
    files = shared_data / "files"
    stored = Stored((files / "cds-astro+mocpy/resources__MOC2.0__TMOC.fits").read_bytes())
    table = stored.by_hdu()[1][1]
    assert table.colnames == ["col1"] or table.colnames[0]
    assert table[table.colnames[0]][:3].dtype.kind in "iu"
    stored = Stored((files / "cds-astro+aladin-lite/examples__data__gw__gw_0.3.fits").read_bytes())
    assert stored.by_hdu()[1][1].colnames[0] == "col1"


def test_statistics_are_those_of_the_values(shared_data):
    """Maxima by statistics against maxima of the values, for all columns and images."""
    checked = 0
    for name, _, stored in stored_files(shared_data, limit=400_000):
        if stored.imported.reason is not None:
            continue
        for obj, dataset in stored.by_hdu().values():
            if obj["is"] == "array" and "stats" in obj and dataset.size:
                values = np.asarray(dataset)
                assert _same(dataset.source.statistics.max(), values), name
                checked += 1
            elif obj["is"] == "table":
                for column in obj["columns"]:
                    source = dataset.source
                    if "stats" not in column or not source.nrows:
                        continue
                    values = source.read(column["name"], 0, source.nrows)
                    assert _same(source.column_statistics(column["name"]).max(), values), name
                    checked += 1
    assert checked > 2000


def _same(maximum, values):
    values = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    return maximum == (values.max() if values.size else None)


def main(data):
    """Print what is typed and what is not, and why."""
    units, files = Counter(), Counter()
    lines = []
    for name, _, stored in stored_files(data):
        if stored.imported.reason is not None:
            files["opaque"] += 1
            lines.append(f"{name}: {stored.imported.reason}")
            continue
        files["typed"] += 1
        units.update(unit["type"] for unit in stored.recipe["hdus"])
        lines += [f"{name}: note: {note}" for note in stored.recipe.get("notes", ())]
        wrapper = stored.recipe.get("wrapper", {})
        kept = "stream kept" if "stream" in wrapper else "parameters found"
        units.update([f"gzip, {kept}"] if wrapper else [])
    sys.stdout.write(f"files: {dict(files)}\nunits: {dict(units)}\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

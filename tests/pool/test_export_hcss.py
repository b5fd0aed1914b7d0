"""Export in the convention of HCSS, and contexts that are files of their own."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits
from click.testing import CliRunner

import skypool as sp
from skypool.cli.app import app
from skypool.errors import Conflict, UsageError
from skypool.formats.fits.hcss_writer import hcss_bytes
from skypool.formats.fits.writer import product_bytes
from skypool.model.compare import differences

ECSV = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, datatype: int64}\na\n1\n"


@pytest.fixture
def pool(tmp_path):
    with sp.Pool(tmp_path / "pool", mode="x") as opened:
        yield opened


def image(**more):
    return sp.Product(
        "SimpleImage",
        type="PXMP",
        meta={"obsid": 1342182452, "wavelength": sp.Parameter(250.0, "um", "reference")},
        datasets={"image": sp.Array(np.arange(6.0).reshape(2, 3), "Jy")},
        **more,
    )


def test_a_product_made_in_memory(pool, tmp_path):
    ref = pool.save(image(), name="maps/psw")
    report = pool.export(ref, tmp_path / "out", format="hcss")
    assert report.files == [str(tmp_path / "out" / "psw.fits")]
    assert report.inexact == []
    with fits.open(report.files[0]) as opened:
        assert opened[0].header["HCSS____"] == 5
        assert opened[0].header["OBS_ID"] == 1342182452
    again = pool.add(report.files[0], name="again")
    assert differences(ref.product, again.product) == []
    assert again.kind == "SimpleImage"
    with pytest.raises(Conflict, match="there is a file"):
        pool.export(ref, tmp_path / "out", format="hcss")
    pool.export(ref, tmp_path / "out", format="hcss", overwrite=True)


def test_a_tree_with_files_of_all_sorts(pool, tmp_path):
    folder = tmp_path / "obs"
    (folder / "level2").mkdir(parents=True)
    hcss = hcss_bytes(image())
    (folder / "level2" / "PSW.fits").write_bytes(hcss)
    table = fits.BinTableHDU.from_columns([fits.Column("x", "J", array=[1, 2])], name="SRC")
    table.writeto(folder / "sources.fit")
    (folder / "notes.txt").write_text("plain")
    (folder / "t.ecsv").write_text(
        "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, datatype: int64}\na\n1\n"
    )
    root = pool.add(folder)
    report = pool.export(root, tmp_path / "out", format="hcss")
    made = sorted(
        str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*")
    )
    assert made == ["level2/PSW.fits", "notes.txt", "sources.fit", "t.ecsv.fits"]
    assert (tmp_path / "out/level2/PSW.fits").read_bytes() == hcss
    assert [path.rpartition("/")[2] for path, _ in report.inexact] == ["notes.txt"]
    back = pool.add(tmp_path / "out/sources.fit", name="back").product
    source = root.refs["sources.fit"].product
    assert differences(source, back) == []


def test_what_cannot_be_written_says_why(pool, tmp_path):
    (tmp_path / "notes.txt").write_text("plain")
    ref = pool.add(tmp_path / "notes.txt")
    with pytest.raises(UsageError, match="plain bytes") as caught:
        pool.export(ref, tmp_path / "out", format="hcss")
    assert "without a format" in caught.value.hint
    with pytest.raises(UsageError, match="cannot be exported as 'fitz'"):
        pool.export(ref, tmp_path / "out", format="fitz")
    wide = sp.Product(datasets={"wide": sp.Table({f"c{n}": np.zeros(1) for n in range(1000)})})
    with pytest.raises(UsageError, match=r"wide@0: wide: FITS tables have at most 999"):
        pool.export(pool.save(wide, name="wide"), tmp_path / "out", format="hcss")
    assert list((tmp_path / "out").glob("*")) == []


def test_classes_of_the_file_are_kept_in_changed_copies(pool, tmp_path):
    data = hcss_bytes(image().replace(datasets={"spectrum": {"a": np.zeros(2)}}))
    for old, new in (
        (b"herschel.ia.dataset.image.SimpleImage'", b"herschel.x.SimpleImage'"),
        (b"herschel.ia.dataset.CompositeDataset'", b"herschel.ia.dataset.x.Spectrum1d'"),
    ):
        data = data.replace(old, new.ljust(len(old)))
    (tmp_path / "a.fits").write_bytes(data)
    ref = pool.add(tmp_path / "a.fits")
    made = hcss_bytes(ref.product.replace(meta={"level": "20"}))
    with fits.HDUList.fromstring(made) as opened:
        assert opened[0].header["CLASS___"] == "herschel.x.SimpleImage"
        assert opened["spectrum"].header["CLASS___"] == "herschel.ia.dataset.x.Spectrum1d"
        assert opened["a"].header["CLASS___"] == "herschel.ia.dataset.ArrayDataset"


def test_a_context_that_is_a_file_comes_back_as_it_was(pool, tmp_path):
    """Its references are URNs of a pool of HIPE: the table of bridges is all that is there."""
    bridges = {"PSW": sp.ExternalRef("urn:hsa:herschel.ia.dataset.image.SimpleImage:123")}
    context = sp.Product("ObservationContext", type="OBS", meta={"obsid": 7}, refs=bridges)
    folder = tmp_path / "obs"
    folder.mkdir()
    data = hcss_bytes(context)
    (folder / "context.fits").write_bytes(data)
    root = pool.add(folder, name="root")
    ref = root.refs["context.fits"]
    assert ref.kind == "ObservationContext"
    table = ref.product["context/bridges"]
    assert table["name"][:].tolist() == ["PSW"]
    assert table["urn"][:].tolist() == ["urn:hsa:herschel.ia.dataset.image.SimpleImage:123"]
    pool.export(root, tmp_path / "out")
    assert (tmp_path / "out" / "context.fits").read_bytes() == data
    pool.export(ref, tmp_path / "alone")
    assert [path.read_bytes() for path in (tmp_path / "alone").iterdir()] == [data]
    assert ref.path.endswith("context.fits")
    with open(ref.path, "rb") as file:
        assert file.read() == data


def test_references_within_the_pool_are_urns_relative_to_it(pool, tmp_path):
    child = pool.save(image(), name="child")
    parent = pool.save(sp.Product("SimpleImage", refs={"cal": child}), name="parent")
    back = pool.add(pool.export(parent, tmp_path, format="hcss").files[0], name="back").product
    urn = f"urn::herschel.ia.dataset.image.SimpleImage:{child.number}"
    assert back["context/bridges"]["urn"][:].tolist() == [urn]


def test_the_command(pool, tmp_path):
    pool.save(image(history=["made by hand"]), name="psw")
    run = CliRunner().invoke
    out = tmp_path / "out"
    base = ["-p", str(tmp_path / "pool")]
    done = run(app, [*base, "export", "psw", str(out), "--format", "hcss", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["files"] == 1
    assert run(app, [*base, "export", "psw", str(out), "--format", "x"]).exit_code == 2
    assert run(app, [*base, "add", str(out / "psw.fits"), "--name", "again"]).exit_code == 0
    shown = json.loads(run(app, [*base, "show", "again", "--json"]).stdout)
    assert shown["class"] == "herschel.ia.dataset.image.SimpleImage"
    assert "class     herschel.ia" in run(app, [*base, "show", "again"]).stdout
    assert "made by hand" in run(app, [*base, "show", "psw"]).stdout


def test_what_was_done_is_shown(pool, tmp_path):
    tasks = {
        "ID": np.arange(12),
        "Name": np.array([f"task{n}" for n in range(12)]),
        "ExecDate": np.full(12, 1839486952156000),
        "BuildVersion": np.array(["14.0"] * 12),
    }
    given = {
        "TaskID": np.array([3, 3]),
        "Name": np.array(["band", "copy"]),
        "Type": np.array(["STRING", "INTEGER"]),
        "Value": np.array(["blue", "1"]),
        "IsDefault": np.array([False, True]),
    }
    history = {
        "HistoryTasks": sp.Table(tasks),
        "HistoryParameters": sp.Table(given),
        "HistoryScript": sp.Table({"Lines": np.array(["x = task3()"])}, {"outvar": "x"}),
    }
    ref = pool.save(image().replace(datasets={"History": history}), name="psw")
    pool.save(image(), name="none")
    product = ref.product
    assert product.own_history == ()
    assert product.history[3] == "2016-04-16T08:35:16.156000 task3(band=blue) [14.0]"
    assert product.provenance.tasks[3].parameters[1].default
    assert pool["none"].product.provenance is None

    def run(*words):
        done = CliRunner().invoke(app, ["-p", str(tmp_path / "pool"), *words])
        assert done.exit_code == 0, done.output
        return done.stdout

    assert "and 2 before these" in run("show", "psw")
    text = run("show", "psw", "--provenance")
    assert "x = task3()" in text
    assert "band" in text
    assert "copy" not in text
    found = json.loads(run("show", "psw", "--provenance", "--json"))
    assert found["provenance"]["tasks"][3]["parameters"][1]["name"] == "copy"
    assert found["provenance"]["output"] == "x"
    assert len(found["history"]) == 12
    assert json.loads(run("show", "none", "--provenance", "--json"))["provenance"] is None


@pytest.mark.parametrize("write", [hcss_bytes, product_bytes])
def test_files_in_place_with_values_that_fits_has_otherwise(tmp_path, write):
    """Complex numbers are pairs in the file, escaped text is stored in the pool."""
    product = sp.Product(
        datasets={
            "waves": sp.Array([1j, 2], "Jy"),
            "one": sp.Array(np.float64(2.5)),
            "names": sp.Table({"name": ["é", "x"]}),
        }
    )
    path = tmp_path / "a.fits"
    path.write_bytes(write(product))
    with sp.Pool(tmp_path / "pool", mode="x") as pool:
        ref = pool.add(path, in_place=True)
        assert differences(product, ref.product) == []
        assert pool.verify().problems == []
        pool.gc(grace=0)
        assert differences(product, ref.product) == []
        path.unlink()
        assert not pool.verify().ok


def test_adding_does_without_astropy(tmp_path):
    path = tmp_path / "a.fits"
    names = sp.Table({"name": ["é", "x"]})
    path.write_bytes(hcss_bytes(image().replace(datasets={"names": names})))
    code = (
        "import sys, skypool as sp\n"
        "with sp.Pool(sys.argv[1], mode='x') as pool:\n"
        "    assert pool.add(sys.argv[2]).kind == 'SimpleImage'\n"
        "assert 'astropy' not in sys.modules\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "pool"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

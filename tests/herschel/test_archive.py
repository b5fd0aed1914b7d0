"""Observations and files from the network, against a server that answers as the archive does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner

import skypool as sp
from skypool import errors
from skypool.cli.app import app
from skypool.files.herschel import Archive, get_observation
from skypool.pool.rows import listed
from skypool.testing.herschel.archive import again, download, pack
from skypool.testing.herschel.samples import SAMPLES

from .server import Behaviour, serving

Content = Callable[[Path], dict[str, str]]
PARALLEL = ("parallel-pacs", "parallel-spire")


def archived(folder: Path, sample: Any, level: str = "ALL") -> tuple[str, bytes]:
    levels = () if level == "ALL" else (level.lower(),)
    top = folder / f"{sample.instrument}{level}{sample.reprocessed}"
    download(top, sample, levels=levels, beside=True)
    path = pack(top, folder / f"{top.name}.tar", "anonymous1647421891")
    return f"{sample.obsid} {sample.instrument} {level}", path.read_bytes()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Behaviour]:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving(Behaviour(table="instrument_oid\n2\n")) as found:
        archive = Archive(f"{found.url}/hsa/data?", f"{found.url}/hsa/tap")
        monkeypatch.setattr(Archive, "configured", classmethod(lambda *_: archive))
        yield found


def test_an_observation(server: Behaviour, pool: sp.Pool, tmp_path: Path, content: Content) -> None:
    key, data = archived(tmp_path, SAMPLES["spire-map"])
    server.files[key] = data
    steps: list[Any] = []
    (ref,) = get_observation(pool, 1342263815, tags=["mine"], progress=steps.append)
    assert (ref.name, ref.kind, ref.tags) == ("1342263815", "ObservationContext", ("mine",))
    assert {step.stage for step in steps} == {"fetching", "adding"}
    url = (f"{server.url}/hsa/data?retrieval_type=OBSERVATION&observation_id=1342263815"
           "&instrument_name=SPIRE")  # fmt: skip
    assert ref.origin == {"url": url}
    assert pool["1342263815/level2/extdPSW"].origin == {
        "url": url,
        "member": "anonymous1647421891/1342263815/level2/extdPSW/"
        "hspirepsw1342263815_20pxmp_1469548187623.fits.gz",
    }
    pool.export(ref, tmp_path / "out")
    assert content(tmp_path / "out") == content(tmp_path / "SPIREALLFalse")
    # Nothing is fetched twice, and nothing is asked.
    requests = len(server.requests)
    assert get_observation(pool, "0x50015207") == (ref,)
    assert len(server.requests) == requests
    cache = pool.settings.cache / "downloads"
    assert list(cache.iterdir()) == []


def test_an_observation_processed_anew(server: Behaviour, pool: sp.Pool, tmp_path: Path) -> None:
    sample = SAMPLES["spire-map"]
    server.files = dict([archived(tmp_path, sample)])
    get_observation(pool, sample.obsid)
    server.files = dict([archived(tmp_path, again(sample))])
    assert get_observation(pool, sample.obsid)[0].version == 0
    (ref,) = get_observation(pool, sample.obsid, refresh=True)
    assert ref.version == ref["level2"]["extdPSW"].version == 1


def test_both_halves_of_parallel_mode(server: Behaviour, pool: sp.Pool, tmp_path: Path) -> None:
    server.files = dict(archived(tmp_path, SAMPLES[name]) for name in PARALLEL)
    server.table = "instrument_oid\r\n1\r\n2\r\n"
    found = get_observation(pool, 1342218995)
    assert [ref.name for ref in found] == ["1342218995/PACS", "1342218995/SPIRE"]
    requests = len(server.requests)
    assert get_observation(pool, 1342218995) == found
    assert get_observation(pool, 1342218995, instrument="spire") == found[1:]
    assert len(server.requests) == requests


def test_the_other_half_of_parallel_mode(server: Behaviour, pool: sp.Pool, tmp_path: Path) -> None:
    server.files = dict(archived(tmp_path, SAMPLES[name]) for name in PARALLEL)
    server.table = "instrument_oid\n1\n2\n"
    (pacs,) = get_observation(pool, 1342218995, instrument="PACS")
    assert get_observation(pool, 1342218995)[0] == pacs
    assert len(server.data_requests) == 2
    assert pool["1342218995/SPIRE"]["level2"]["extdPSW"]


def test_level_by_level(server: Behaviour, pool: sp.Pool, tmp_path: Path) -> None:
    sample = SAMPLES["spire-map"]
    server.files = dict(archived(tmp_path, sample, level) for level in ("LEVEL2", "LEVEL2_5"))
    get_observation(pool, sample.obsid, level="2")
    psw = pool["1342263815"]["level2"]["extdPSW"]
    (ref,) = get_observation(pool, sample.obsid, level="level2.5")
    assert {"level2", "level2_5"} <= set(ref.refs)
    assert pool["1342263815"]["level2"]["extdPSW"] == psw
    assert "1342263815/level2/extdPSW" in pool
    sent = server.sent
    assert get_observation(pool, sample.obsid, level="2")[0].number == ref.number
    assert server.sent == sent
    server.files |= dict([archived(tmp_path, sample)])
    get_observation(pool, sample.obsid)
    sent = server.sent
    get_observation(pool, sample.obsid, level="2")  # is there
    assert server.sent == sent


def test_own_changes_are_not_overwritten(server: Behaviour, pool: sp.Pool, tmp_path: Path) -> None:
    server.files = dict([archived(tmp_path, SAMPLES["spire-map"])])
    (ref,) = get_observation(pool, 1342263815)
    mine = pool.save(ref.product.replace(meta={"checked": True}))
    assert get_observation(pool, 1342263815) == (mine,)


def test_on_after_a_cut(server: Behaviour, pool: sp.Pool, tmp_path: Path) -> None:
    key, data = archived(tmp_path, SAMPLES["spire-map"])
    server.files[key] = data
    server.cuts = [len(data) // 2]
    assert get_observation(pool, 1342263815, instrument="SPIRE")[0]["level2"]["extdPSW"]
    assert [headers.get("Range") for headers in server.data_requests] == [
        None, f"bytes={len(data) // 2 - 65536}-",
    ]  # fmt: skip


def test_a_cut_that_nobody_tells_of(server: Behaviour, pool: sp.Pool, tmp_path: Path) -> None:
    """Without a length the end of a connection looks like the end of the file; a tar has one."""
    key, data = archived(tmp_path, SAMPLES["spire-map"])
    server.files[key], server.length, server.ranges = data, False, False
    for cut in (len(data) // 2, len(data) - 10_240, len(data) // 1024 // 2 * 1024):
        server.cuts = [cut]
        with pytest.raises(errors.Unreachable, match="has no end"):
            get_observation(pool, 1342263815, instrument="SPIRE")
    assert not pool.exists
    assert get_observation(pool, 1342263815, instrument="SPIRE")[0].kind == "ObservationContext"


def test_a_damaged_archive_is_fetched_anew(
    server: Behaviour, pool: sp.Pool, tmp_path: Path
) -> None:
    key, data = archived(tmp_path, SAMPLES["spire-map"])
    server.etag = '"one"'
    server.files[key] = data[:20480] + bytes([255]) * 2000 + data[22480:]
    broken = len(data) // 2 // 512 * 512
    server.files[key] = data[:broken] + b"\1" * 512 + bytes(1024)
    with pytest.raises(errors.StorageError, match="cannot be unpacked"):
        get_observation(pool, 1342263815, instrument="SPIRE")
    server.files[key] = data
    assert get_observation(pool, 1342263815, instrument="SPIRE")


def test_what_the_archive_does_not_have(server: Behaviour, pool: sp.Pool) -> None:
    server.table = "instrument_oid\n"
    with pytest.raises(errors.NotFound, match="has no observation 1342000000"):
        get_observation(pool, 1342000000)
    with pytest.raises(errors.NotFound, match="No results found"):
        get_observation(pool, 1342000000, instrument="HIFI")
    server.table = "<html>Service is down for maintenance</html>"
    with pytest.raises(errors.StorageError, match=r"gave no table: .*maintenance"):
        get_observation(pool, 1342000000)
    assert not pool.exists


@pytest.mark.parametrize(
    ("options", "words"),
    [({"obsid": "m83"}, "no number"), ({"obsid": -1}, "no number"),
     ({"obsid": 1342263815, "instrument": "IRAC"}, "no instrument"),
     ({"obsid": 1342263815, "level": "7"}, "no level")],
)  # fmt: skip
def test_what_makes_no_sense(pool: sp.Pool, options: dict[str, Any], words: str) -> None:
    with pytest.raises(errors.UsageError, match=words):
        get_observation(pool, **options)


def test_the_command(server: Behaviour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, data = archived(tmp_path, SAMPLES["spire-map"])
    server.files[key] = data
    words = ["-p", str(tmp_path / "got"), "herschel", "get", "1342263815"]
    done = CliRunner().invoke(app, [*words, "-t", "mine", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["bytes_fetched"] == len(data)
    assert "1342263815" in [ref["name"] for ref in found["saved"]]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0
    assert "nothing new" in done.stdout
    with serving(Behaviour()) as gone:
        url = gone.url
    offline = Archive(f"{url}/data?", f"{url}/tap")
    monkeypatch.setattr(Archive, "configured", classmethod(lambda *_: offline))
    monkeypatch.setattr("time.sleep", lambda _: None)
    done = CliRunner().invoke(app, ["-p", str(tmp_path / "x"), "herschel", "get", "1", "--json"])
    assert (done.exit_code, json.loads(done.stdout)["error"]["code"]) == (1, "unreachable")
    assert "offline" in json.loads(done.stdout)["error"]["hint"]
    assert CliRunner().invoke(app, words).exit_code == 0  # what is there needs no network


def test_addresses_of_astroquery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "astroquery", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    plain = Archive.configured()
    monkeypatch.undo()
    pytest.importorskip("astroquery")
    from astroquery.esa.hsa import conf

    assert Archive.configured() == plain  # the same, as long as nobody sets others
    with conf.set_temp("DATA_ACTION", "http://127.0.0.1:1/data?"):
        assert Archive.configured().address(1342263815, "SPIRE", "LEVEL2") == (
            "http://127.0.0.1:1/data?retrieval_type=OBSERVATION&observation_id=1342263815"
            "&instrument_name=SPIRE&product_level=LEVEL2"
        )


def test_in_a_process_that_is_interrupted(
    server: Behaviour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while it fetches: nothing is added, and the next time goes on."""
    key, data = archived(tmp_path, SAMPLES["spire-map"])
    server.files[key] = data
    environment = {**os.environ, "SKYPOOL_HERSCHEL": f"{server.url}/hsa"}
    words = [sys.executable, "-m", "skypool", "-p", str(tmp_path / "got"),
             "herschel", "get", "1342263815", "--instrument", "SPIRE"]  # fmt: skip
    server.cuts, server.stall = [300_000], threading.Event()
    with subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True) as process:
        parts = (tmp_path_of_cache() / "downloads").glob("*/part")
        # Enough that something of it can be asked for again and compared.
        while not any(part.stat().st_size >= 200_000 for part in parts):
            parts = (tmp_path_of_cache() / "downloads").glob("*/part")
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        said = process.stderr.read()
    server.stall.set()
    server.stall = None
    assert process.returncode == 130, said
    assert "the same command goes on where it was" in said
    assert not (tmp_path / "got").exists()
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1342263815@0  ")
    assert server.data_requests[-1]["Range"].startswith("bytes=")


def tmp_path_of_cache() -> Path:
    return Path(os.environ["SKYPOOL_CACHE"])


# -- addresses and rows


def fits_bytes(seed: int) -> bytes:
    import io

    out = io.BytesIO()
    fits.PrimaryHDU(np.random.default_rng(seed).normal(size=(40, 40)), fits.Header(
        {"OBJECT": "M83"})).writeto(out)  # fmt: skip
    return out.getvalue()


@pytest.fixture
def files(server: Behaviour) -> Behaviour:
    server.files |= {f"/data/{name}.fits": fits_bytes(n) for n, name in enumerate("abc")}
    return server


def test_add_an_address(files: Behaviour, pool: sp.Pool) -> None:
    url = f"{files.url}/data/a.fits"
    files.etag = '"1"'
    report = pool.add_report(url, tags=["net"])
    (ref,) = report.refs
    assert (ref.name, ref.tags, report.bytes_fetched) == ("a.fits", ("net",), len(fits_bytes(0)))
    assert ref.origin == {"url": url, "etag": '"1"'}
    assert ref["image"].shape == (40, 40)
    sent = files.sent
    again = pool.add_report(url)
    assert (again.refs, again.commit, again.unchanged) == ([ref], None, 1)
    assert files.sent == sent
    files.etag, files.files["/data/a.fits"] = '"2"', fits_bytes(7)
    assert pool.add(url).version == 1
    assert pool.add(url, name="other").name == "other"
    assert pool.add(url, under="net").name == "net/a.fits"


def test_add_again_without_validators_asks_nobody(files: Behaviour, pool: sp.Pool) -> None:
    url = f"{files.url}/data/a.fits"
    ref = pool.add(url)
    requests = len(files.requests)
    assert pool.add(url) == ref
    assert len(files.requests) == requests
    files.files["/data/a.fits"] = fits_bytes(7)
    assert pool.add(url, force_read=True).version == 1
    pool.save(pool["a.fits"].product.replace(meta={"n": 1}))
    assert pool.add(url).version == 3  # the newest was not what came from there


def test_rows_and_tables(files: Behaviour, pool: sp.Pool) -> None:
    urls = [f"{files.url}/data/{name}.fits" for name in "abc"]
    table = Table({"obs_id": ["1", "2", "3"], "access_url": urls})
    assert pool.add(table[0]).name == "a.fits"
    assert [ref.name for ref in pool.add(table)] == ["a.fits", "b.fits", "c.fits"]
    assert [ref.name for ref in pool.add(list(table[1:]))] == ["b.fits", "c.fits"]
    assert pool.add({"access_url": urls[0]}).name == "a.fits"
    data = [path for path, _ in files.requests if path.startswith("/data/")]
    assert data == ["/data/a.fits", "/data/b.fits", "/data/c.fits"]
    assert [ref.name for ref in pool.add([urls[0]] * 2, under="x")] == ["x/a.fits"] * 2
    assert len([path for path, _ in files.requests if path.endswith("a.fits")]) == 2
    with pytest.raises(errors.UsageError, match="no address"):
        pool.add(Table({"obs_id": ["1"]})[0])
    masked = Table({"access_url": urls}, masked=True)
    masked["access_url"].mask[1] = True
    with pytest.raises(errors.UsageError, match="no address"):
        pool.add(masked)
    with pytest.raises(errors.UsageError, match="neither path nor address"):
        pool.add(17)


def test_rows_of_astroquery(server: Behaviour, pool: sp.Pool, tmp_path: Path) -> None:
    """Its table of observations of Herschel names no addresses; that of MAST has others."""
    server.files = dict(archived(tmp_path, SAMPLES[name]) for name in PARALLEL)
    rows = Table({"observation_id": [1342218995] * 2, "instrument_oid": [1, 2], "ra": [1.0, 1.0]})
    assert pool.add(rows[1]).name == "1342218995/SPIRE"
    assert [ref.name for ref in pool.add(rows)] == ["1342218995/PACS", "1342218995/SPIRE"]
    assert len(server.data_requests) == 2
    assert get_observation(pool, 1342218995, instrument="PACS")[0].version == 0
    assert len(server.data_requests) == 2
    mast = Table({"obsID": ["1"], "dataURI": ["mast:JWST/product/jw 1.fits"], "size": [3]})
    found = listed(mast, Archive)
    assert found == [
        "https://mast.stsci.edu/api/v0.1/Download/file?uri=mast:JWST/product/jw%201.fits"
    ]


def test_records_of_pyvo(files: Behaviour, pool: sp.Pool) -> None:
    pyvo = pytest.importorskip("pyvo")
    from astropy.io.votable import from_table
    from astropy.io.votable.tree import Info

    table = Table({
        "access_url": [f"{files.url}/data/{name}.fits" for name in "ab"],
        "access_format": ["image/fits"] * 2,
    })  # fmt: skip
    votable = from_table(table)
    votable.resources[0].type = "results"
    votable.resources[0].infos.append(Info(name="QUERY_STATUS", value="OK"))
    results = pyvo.dal.TAPResults(votable)
    assert pool.add(results[0]).name == "a.fits"
    assert [ref.name for ref in pool.add(results)] == ["a.fits", "b.fits"]


def test_rows_that_lead_to_links(files: Behaviour, pool: sp.Pool, tmp_path: Path) -> None:
    links = Table({
        "ID": ["x", "x", "x"],
        "access_url": [f"{files.url}/data/{name}.fits" for name in "abc"],
        "semantics": ["#preview", "#this", "#calibration"],
    })  # fmt: skip
    links.write(tmp_path / "links.xml", format="votable")
    files.files["/links"] = (tmp_path / "links.xml").read_bytes()
    row = {
        "access_url": f"{files.url}/links",
        "access_format": "application/x-votable+xml;content=datalink",
    }
    ref = pool.add(row)
    assert (ref.name, ref.origin["url"]) == ("b.fits", f"{files.url}/links")
    requests = len(files.requests)
    assert pool.add(row) == ref
    assert len(files.requests) == requests
    links["semantics"] = ["#preview", "#error", "#calibration"]
    links.write(tmp_path / "links.xml", format="votable", overwrite=True)
    files.files["/links2"] = (tmp_path / "links.xml").read_bytes()
    with pytest.raises(errors.NotFound, match="lists no data"):
        pool.add(row | {"access_url": f"{files.url}/links2"})


def test_addresses_and_paths_together(files: Behaviour, pool: sp.Pool, tmp_path: Path) -> None:
    (tmp_path / "d.fits").write_bytes(fits_bytes(9))
    found = pool.add([f"{files.url}/data/a.fits", tmp_path / "d.fits"], message="both")
    assert [ref.name for ref in found] == ["a.fits", "d.fits"]
    assert len(pool.history()) == 1
    with pytest.raises(errors.UsageError, match="cannot stay"):
        pool.add(f"{files.url}/data/a.fits", in_place=True)
    with pytest.raises(errors.NotFound, match="there is no http"):
        pool.add(f"{files.url}/data/nothing.fits")


def test_the_command_add(files: Behaviour, tmp_path: Path) -> None:
    words = ["-p", str(tmp_path / "new"), "add", f"{files.url}/data/a.fits", "--json"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["saved"][0]["name"] == "a.fits"
    shown = CliRunner().invoke(app, ["-p", str(tmp_path / "new"), "show", "a.fits", "--json"])
    assert f"{files.url}/data/a.fits" in shown.stdout

"""Receiving: what is right lands in the pool, what is not is refused and changes nothing."""

from __future__ import annotations

import functools
import gzip
import http.server
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyvo.samp import SAMPIntegratedClient, SAMPProxyError

import skypool as sp
from skypool.errors import SkypoolError, Unreachable
from skypool.pool.resolve import check_name
from skypool.vo import Receiver, Sender
from skypool.vo.incoming import MTYPES, fetch, label_of

from .conftest import LIMIT, image_hdu, sources

SECONDS = "120"
IMAGE, TABLE, VOTABLE, SPECTRUM = MTYPES


@pytest.fixture
def other(hub: Path) -> Iterator[SAMPIntegratedClient]:
    """Connect a program that sends, by pyvo."""
    client = SAMPIntegratedClient(name="Other program", addr="127.0.0.1")
    client.connect()
    yield client
    client.disconnect()


@pytest.fixture
def mine(tmp_path: Path) -> Iterator[sp.Pool]:
    with sp.Pool(tmp_path / "mine") as made:
        yield made


def tell(other: SAMPIntegratedClient, mtype: str, **params: Any) -> dict[str, Any]:
    """Send a message to the receiver, and return its answer."""
    (to,) = [
        ident
        for ident in other.get_registered_clients()
        if other.get_metadata(ident).get("samp.name") == "skypool"
    ]
    params = {key.replace("_", "-"): value for key, value in params.items()}
    answer: dict[str, Any] = other.ecall_and_wait(to, mtype, SECONDS, **params)
    return answer


def test_images_tables_and_spectra_become_products(
    mine: sp.Pool, other: SAMPIntegratedClient, files: Path
) -> None:
    with Receiver(mine, hub=False) as receiver:
        url = (files / "m83.fits").as_uri()
        assert tell(other, IMAGE, url=url, name="M 83 (blue)")["samp.status"] == "samp.ok"
        came = receiver.wait(LIMIT)
        assert came is not None
        assert came.ref is not None
        assert (came.sender, came.ref.name, came.ref.kind) == (
            "Other program", "received/M 83 (blue).fits", "SimpleImage",
        )  # fmt: skip
        assert Path(came.ref.path).read_bytes() == (files / "m83.fits").read_bytes()
        assert came.ref.origin == {"url": url, "sender": "Other program", "mtype": IMAGE}
        assert mine.history()[0].message == f"received from Other program ({IMAGE})"

        tell(other, VOTABLE, url=(files / "sources.vot").as_uri(), table_id="match(1,2)")
        table = receiver.wait(LIMIT)
        assert table is not None
        assert table.ref.name == "received/match(1,2).vot"
        tell(other, SPECTRUM, url=(files / "sources.fits").as_uri(), meta={"Access.Format": "x"})
        spectrum = receiver.wait(LIMIT)
        assert spectrum is not None
        assert spectrum.ref.name == "received/sources.fits"
        flux = next(iter(spectrum.ref.product.datasets.values()))["flux"]
        assert np.array_equal(np.asarray(flux), sources()["flux"])
    assert len(mine.history()) == 3


def test_the_same_name_is_a_new_version_and_the_same_file_none(
    mine: sp.Pool, other: SAMPIntegratedClient, tmp_path: Path
) -> None:
    path = tmp_path / "image.fits"
    with Receiver(mine, hub=False, under="") as receiver:
        for seed in (1, 1, 2):
            image_hdu(seed).writeto(path, overwrite=True)
            tell(other, IMAGE, url=path.as_uri(), name="m83")
            assert receiver.wait(LIMIT) is not None
        other_one = image_hdu(3)
        other_one.header["OBS_ID"] = "1342182452"
        other_one.writeto(path, overwrite=True)
    assert [ref.version for ref in mine["m83.fits"].versions] == [0, 1]
    assert len(mine.history()) == 2


def test_data_of_another_observation_get_another_name(
    mine: sp.Pool, other: SAMPIntegratedClient, tmp_path: Path
) -> None:
    path = tmp_path / "image.fits"
    with Receiver(mine, hub=False) as receiver:
        for obsid in (1342182452, 1342182453):
            hdu = image_hdu()
            hdu.header.update({"TELESCOP": "Herschel", "OBS_ID": obsid, "META_0": obsid})
            hdu.header["HIERARCH key.META_0"] = "obsid"
            hdu.writeto(path, overwrite=True)
            tell(other, IMAGE, url=path.as_uri(), name="map")
            came = receiver.wait(LIMIT)
            assert came is not None
            assert came.problem == ""
    assert sorted(ref.name for ref in mine.ls()) == ["received/map-2.fits", "received/map.fits"]


def test_packed_files_and_addresses_of_the_web(
    mine: sp.Pool, other: SAMPIntegratedClient, files: Path, tmp_path: Path
) -> None:
    with (files / "m83.fits").open("rb") as plain, gzip.open(tmp_path / "x.fits.gz", "wb") as out:
        shutil.copyfileobj(plain, out)
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_port}"
            with Receiver(mine, hub=False) as receiver:
                answer = tell(other, IMAGE, url=f"{address}/x.fits.gz")
                came = receiver.wait(LIMIT)
                lost = tell(other, IMAGE, url=f"{address}/y.fits")
        finally:
            server.shutdown()
            thread.join()
    assert answer["samp.status"] == "samp.ok"
    assert came is not None
    assert came.ref.name == "received/x.fits.gz"
    assert Path(came.ref.path).read_bytes() == (tmp_path / "x.fits.gz").read_bytes()
    assert lost["samp.status"] == "samp.error"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


BAD = {
    "no address": (IMAGE, {}, "without a url"),
    "no file": (IMAGE, {"url": "file:///no/such/file.fits"}, "no file"),
    "a folder": (IMAGE, {"url": "file:///tmp"}, "is no file"),
    "a device": (IMAGE, {"url": "file:///dev/zero"}, "is no file"),
    "odd scheme": (IMAGE, {"url": "ftp://example.org/x.fits"}, "not by 'ftp'"),
    "no url at all": (IMAGE, {"url": "http://[broken"}, "is none"),
    "text": (IMAGE, {"url": "{files}/notes.txt"}, "no FITS"),
    "a table as image": (IMAGE, {"url": "{files}/sources.fits"}, "no image in it"),
    "an image as table": (TABLE, {"url": "{files}/m83.fits"}, "no table in it"),
    "votable as fits": (TABLE, {"url": "{files}/sources.vot"}, "no FITS"),
    "fits as votable": (VOTABLE, {"url": "{files}/sources.fits"}, "no VOTABLE"),
    "cut short": (IMAGE, {"url": "{files}/cut.fits"}, ""),
    "a list as url": (IMAGE, {"url": ["x"]}, "without a url"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_read_is_refused_with_the_reason(
    mine: sp.Pool, other: SAMPIntegratedClient, files: Path, what: str
) -> None:
    (files / "cut.fits").write_bytes((files / "m83.fits").read_bytes()[:1500])
    mtype, params, reason = BAD[what]
    params = {
        key: value.replace("{files}", files.as_uri()) if isinstance(value, str) else value
        for key, value in params.items()
    }
    with Receiver(mine, hub=False) as receiver:
        answer = tell(other, mtype, **params)
        came = receiver.wait(LIMIT)
    assert answer["samp.status"] == "samp.error"
    assert reason in answer["samp.error"]["samp.errortxt"]
    assert came is not None
    assert came.ref is None
    assert came.problem == answer["samp.error"]["samp.errortxt"]
    assert len(mine) == 0
    assert mine.history() == []


def test_a_pipe_is_not_waited_for(
    mine: sp.Pool, other: SAMPIntegratedClient, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe.fits")
    with Receiver(mine, hub=False):
        answer = tell(other, IMAGE, url=(tmp_path / "pipe.fits").as_uri())
    assert "is no file" in answer["samp.error"]["samp.errortxt"]


def test_other_messages_are_not_taken(mine: sp.Pool, other: SAMPIntegratedClient) -> None:
    with Receiver(mine, hub=False):
        with pytest.raises(SAMPProxyError, match="not subscribed"):
            tell(other, "client.env.get", name="HOME")
        assert tell(other, "samp.app.ping")["samp.status"] == "samp.ok"


def test_notifications_are_taken_and_not_answered(
    mine: sp.Pool, other: SAMPIntegratedClient, files: Path
) -> None:
    told: list[Any] = []
    with Receiver(mine, hub=False, on_received=told.append) as receiver:
        other.enotify_all(IMAGE, url=(files / "m83.fits").as_uri())
        came = receiver.wait(LIMIT)
    assert told == [came]
    assert came is not None
    assert came.ref is not None


def test_what_has_come_before_the_end_is_dealt_with(
    mine: sp.Pool, other: SAMPIntegratedClient, files: Path
) -> None:
    receiver = Receiver(mine, hub=False)
    for number in range(5):
        other.enotify_all(IMAGE, url=(files / "m83.fits").as_uri(), name=f"n{number}")
    first = receiver.wait(LIMIT)
    receiver.close()
    receiver.close()
    assert first is not None
    left = list(iter(lambda: receiver.wait(0), None))
    assert 1 + len(left) == len(mine) <= 5


def test_without_a_hub_that_is_said(mine: sp.Pool, lockfile: Path) -> None:
    with pytest.raises(Unreachable, match="no SAMP hub"):
        Receiver(mine, hub=False)


def test_skypool_sends_to_skypool(mine: sp.Pool, pool: sp.Pool, hub: Path) -> None:
    with Receiver(mine, hub=False) as receiver, Sender(hub=False) as sender:
        for via in ("file", "http"):
            refs = [pool["m83.fits"], pool["line"], pool["notes.txt"]]
            image, line, notes = sender.send(refs, "skypool", via=via, timeout=LIMIT)
            assert [image.state, line.state, notes.state] == ["accepted", "accepted", "skipped"]
            assert receiver.wait(LIMIT) is not None
            assert receiver.wait(LIMIT) is not None
    got = mine["received/m83.fits"]
    assert Path(got.path).read_bytes() == Path(pool["m83.fits"].path).read_bytes()
    (table,) = mine["received/line.fits"].product.datasets.values()
    assert np.array_equal(np.asarray(table["flux"]), np.linspace(1, 2, 50))


# -- any message at all

texts = st.text(max_size=40) | st.sampled_from(
    ["file:///", "file:///dev/null", "file://host/x", "http://", "http://[", "..", "a/../b", "\0"]
)
values = st.recursive(
    texts, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)


@contextmanager
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from skypool.pool.downloading import Downloader

    def refuse(*_: Any, **__: Any) -> None:
        raise Unreachable("no network in this test")

    with monkeypatch.context() as patch:
        patch.setattr(Downloader, "fetch", refuse)
        yield


@given(
    mtype=st.sampled_from(list(MTYPES)),
    params=st.dictionaries(
        st.sampled_from(["url", "name", "table-id", "image-id", "meta"]), values, max_size=5
    ),
)
@example(mtype=IMAGE, params={"url": "file:///dev/null\0"})
def test_any_message_is_an_error_of_skypool(
    files: Path, mtype: str, params: dict[str, Any]
) -> None:
    with pytest.MonkeyPatch.context() as patch, no_network(patch), pytest.raises(SkypoolError):
        fetch(mtype, params, str(files))
    assert not (files / "file").exists()


@given(
    name=values, ident=values, url=texts | st.text(max_size=400).map(lambda text: f"file:///{text}")
)
@example(name="urn:x:y:1", ident="", url="")
@example(name="tag:x", ident="", url="")
@example(name="..", ident="/", url="file:///..")
@example(name="\ud800", ident="", url="")
def test_any_name_is_one_that_a_product_can_have(name: Any, ident: Any, url: str) -> None:
    label = label_of({"name": name, "table-id": ident, "url": url})
    assert check_name(f"{label}.fits") == f"{label}.fits"
    assert "/" not in label
    assert 0 < len(label) <= 100
    label.encode()


@given(data=st.data())
def test_any_damage_is_refused_or_read(files: Path, data: st.DataObject) -> None:
    content = bytearray((files / "m83.fits").read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, 2880))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, len(content))) :]
    with tempfile.TemporaryDirectory() as folder:
        damaged = Path(folder, "x.fits")
        damaged.write_bytes(content)
        try:
            found = fetch(IMAGE, {"url": damaged.as_uri()}, folder)
        except SkypoolError:
            return
        assert Path(found.path).read_bytes() == bytes(content)

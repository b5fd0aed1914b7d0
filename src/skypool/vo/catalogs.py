"""Tables for SAOImage DS9: as a catalogue that it imports.

It answers `samp.ok` to SAMP's own messages for tables, and shows none of them. What it takes is
its own command, which reads the file before it answers; what it then has, it writes into a file.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from skypool.model.tables import Table
from skypool.sky.columns import position_columns
from skypool.vo.arrival import Outcome, error_text
from skypool.vo.client import plain

if TYPE_CHECKING:
    from skypool.vo.client import Client
    from skypool.vo.payload import Part
    from skypool.vo.peers import Peer

__all__ = ["show_catalogue", "write_catalogue"]

_MOST_ROWS: Final = 200_000
# Lists up to this length become columns of their own: spectra in cells say nothing in a list.
_MOST_IN_CELL: Final = 16
# It finds these itself, and takes `catalog ra RA` for a mistake in its grammar.
_FOUND: Final = {("RA", "DEC"), ("RAJ2000", "DEJ2000"), ("_RAJ2000", "_DEJ2000")}


def show_catalogue(client: Client, peer: Peer, part: Part, title: str, seconds: float) -> Outcome:
    """Have DS9 show a table over its current frame, and find out whether it does.

    Parameters
    ----------
    client
        Who sends.
    peer
        DS9.
    part
        A table.
    title
        What it is called there.
    seconds
        How long an answer may take.

    Returns
    -------
    state, detail
        As `Reply` has them.
    """
    table = part.dataset
    assert isinstance(table, Table)
    found = position_columns(table.colnames, {n: table[n].info.ucd for n in table.colnames})
    if found is None:
        return (
            "skipped",
            f"DS9 shows tables of positions; {part.path} has no columns such as RA, DEC",
        )
    if len(table) > _MOST_ROWS:
        return "skipped", f"DS9 is slow with tables: it gets at most {_MOST_ROWS:,} rows"
    with tempfile.TemporaryDirectory(prefix="skypool-") as folder:
        path = Path(folder) / (re.sub(r"[^A-Za-z0-9_.+-]+", "_", title)[:60] + ".tsv")
        names = write_catalogue(table, path)
        lon, lat = (names[name] for name in found[:2])
        return _import(client, peer, path, (lon, lat, found[2]), (len(table), seconds))


def _import(
    client: Client,
    peer: Peer,
    path: Path,
    where: tuple[str, str, str],
    wanted: tuple[int, float],
) -> Outcome:
    rows, seconds = wanted

    def command(text: str) -> dict[str, Any] | None:
        return client.call(peer.id, "ds9.set", {"cmd": text}).wait(seconds)

    frame = client.call(peer.id, "ds9.get", {"cmd": "frame"}).wait(seconds)
    if frame is not None and not (frame.get("samp.result") or {}).get("value"):
        command("frame new")  # without any it makes no list
    lon, lat, sky = where
    commands = [f"catalog import tsv {{{path}}}", f"catalog psky {sky}"]
    if (lon, lat) not in {pair for up in _FOUND for pair in (up, (up[0].lower(), up[1].lower()))}:
        commands += [f"catalog ra {{{lon}}}", f"catalog dec {{{lat}}}"]
    for text in commands:
        answer = command(text)
        if answer is None:
            return "unanswered", f"no answer within {seconds:g} s; it may have come nevertheless"
        if answer.get("samp.status") == "samp.error":
            return "refused", error_text(answer) or "it gave no reason"
    came = path.with_name("came.tsv")
    command(f"catalog export tsv {{{came}}}")
    lines = came.read_bytes().count(b"\n") - 1 if came.is_file() else 0
    if lines < rows:
        return "refused", f"it says that it has it, but shows {max(0, lines)} of {rows} rows"
    return "arrived", ""


def write_catalogue(table: Table, path: Path) -> dict[str, str]:
    """Write a table as DS9 reads it: names and values between tabs.

    Parameters
    ----------
    table
        Whose columns are written; long lists are left out.
    path
        Of the new file.

    Returns
    -------
    dict
        What columns are called there, by their names.
    """
    names: dict[str, str] = {}
    columns: list[tuple[str, list[str]]] = []
    for name in table.colnames:
        values = np.ma.asarray(table[name][:])
        shown = names[name] = re.sub(r"[\s{}\\]+", "_", plain(name)) or "_"
        flat = values.reshape(len(values), -1) if len(values) else values.reshape(0, 1)
        width = flat.shape[1]
        if values.dtype.kind == "O" or width > _MOST_IN_CELL:
            continue
        for place in range(width):
            title = shown if width == 1 else f"{shown}_{place + 1}"
            columns.append((title, _texts(flat[:, place])))
    with path.open("w", encoding="utf-8") as out:
        out.write("\t".join(title for title, _ in columns) + "\n")
        for row in zip(*(texts for _, texts in columns), strict=True):
            out.write("\t".join(row) + "\n")
    return names


def _texts(values: Any) -> list[str]:
    mask = np.ma.getmaskarray(values)
    data = np.ma.getdata(values)
    if data.dtype.kind == "S":
        data = np.char.decode(data, "utf-8", "replace")
    texts = data.astype(str).tolist()
    if data.dtype.kind == "U":
        texts = [" ".join(plain(text).split()) for text in texts]
    return ["" if gone else text for text, gone in zip(texts, mask.tolist(), strict=True)]

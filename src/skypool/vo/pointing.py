"""Telling programs of a place of the sky, or of rows of a table that they have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from skypool.errors import NotFound
from skypool.vo.connecting import Connecting
from skypool.vo.programs import takes

if TYPE_CHECKING:
    from skypool.pool.ref import Ref
    from skypool.vo.peers import Peer

__all__ = ["Pointing"]


class Pointing(Connecting):
    """Points at places and rows; see `Sender`."""

    def point_at(self, ra: float, dec: float, target: str = "all") -> list[str]:
        """Let programs show a place of the sky.

        Parameters
        ----------
        ra, dec
            Degrees, ICRS.
        target
            A program, or `all`.

        Returns
        -------
        list of str
            Names of the programs that were told.
        """
        params = {"ra": repr(float(ra)), "dec": repr(float(dec))}
        return self._notify(target, "coord.pointAt.sky", lambda _: params)

    def highlight_row(
        self, ref: Ref, row: int, target: str = "all", *, dataset: str | None = None
    ) -> list[str]:
        """Let programs highlight a row of a table that was sent to them.

        Parameters
        ----------
        ref
            The product.
        row
            Number of the row, from 0.
        target
            A program, or `all` that were sent it.
        dataset
            The table; by default the one that was sent.

        Returns
        -------
        list of str
            Names of the programs that were told.
        """
        return self._rows(ref, target, dataset, "table.highlight.row", {"row": str(int(row))})

    def select_rows(
        self, ref: Ref, rows: Iterable[int], target: str = "all", *, dataset: str | None = None
    ) -> list[str]:
        """Let programs select rows of a table that was sent to them; see `highlight_row`."""
        numbers = [str(int(row)) for row in rows]
        return self._rows(ref, target, dataset, "table.select.rowList", {"row-list": numbers})

    def _rows(
        self, ref: Ref, target: str, dataset: str | None, mtype: str, params: dict[str, Any]
    ) -> list[str]:
        with self._lock:
            sent = {
                peer: table_id
                for (urn, path), ids in self._tables.items()
                if urn == ref.urn and dataset in (None, path)
                for peer, table_id in ids.items()
            }
        if not sent:
            raise NotFound(
                f"no table of {ref.name}@{ref.version} was sent to any program",
                hint="send it first: its rows have numbers only there",
            )
        return self._notify(
            target,
            mtype,
            lambda peer: params | {"table-id": sent[peer.id]} if peer.id in sent else None,
        )

    def _note_table(self, ref: Ref, path: str, peer: Peer, table_id: str) -> None:
        with self._lock:
            self._tables.setdefault((ref.urn, path), {})[peer.id] = table_id

    def _notify(self, target: str, mtype: str, params: Any) -> list[str]:
        client, found = self._recipients(target, start=False)
        told = []
        for peer in found:
            given = params(peer)
            if given is not None and takes(peer.mtypes, mtype):
                client.notify(peer.id, mtype, given)
                told.append(peer.name)
        return told

"""Adding from the network: what is fetched, and what the pool has already."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from skypool.codec.documents import loads
from skypool.errors import NotFound, SkypoolError, Unreachable
from skypool.pool.addresses import is_url
from skypool.pool.rows import DATALINK, text_of
from skypool.pool.trees import is_tar

if TYPE_CHECKING:
    from skypool.pool.add_report import AddOptions
    from skypool.pool.downloading import Download, Downloader
    from skypool.pool.progress import OnProgress
    from skypool.pool.view import View

__all__ = ["Fetched", "fetch_all"]


@dataclass(slots=True)
class Fetched:
    """What there is to add when all is on this machine.

    Attributes
    ----------
    paths : list of str or int
        Paths; numbers of versions of what is in the pool already, as it is there.
    origins : dict
        Where the paths came from.
    bytes : int
        What was fetched.
    """

    paths: list[str | int] = field(default_factory=list)
    origins: dict[str, Mapping[str, str]] = field(default_factory=dict)
    bytes: int = 0
    _downloads: list[Download] = field(default_factory=list)
    _downloader: Downloader | None = None

    def forget(self) -> None:
        """Remove the files that were fetched: they are in the pool now."""
        for download in self._downloads:
            assert self._downloader is not None
            self._downloader.forget(download)


def fetch_all(
    items: Sequence[str],
    view: Callable[[], View | None],
    options: AddOptions,
    folder: str,
    on_progress: OnProgress | None = None,
) -> Fetched:
    """Fetch the addresses among what is to be added; what the pool has as it is stays away.

    Parameters
    ----------
    items
        Paths and addresses.
    view
        Gives the pool, None where there is none yet.
    options
        How they are added.
    folder
        Where fetched files are kept until they are added.
    on_progress
        Told how far the work is.

    Raises
    ------
    Unreachable
        If an address cannot be fetched to the end now. What came is kept for the next time.
    """
    if not any(map(is_url, items)):
        return Fetched(list(items))
    from skypool.pool.downloading import Downloader

    downloader = Downloader(folder, on_progress=on_progress)
    found = Fetched(_downloader=downloader)
    before = _Before(view(), options)
    for item in items:
        if is_url(item):
            found.paths += _fetch(item, before, downloader, found)
        else:
            found.paths.append(item)
    return found


def _fetch(
    item: str, before: _Before, downloader: Downloader, found: Fetched
) -> Iterator[str | int]:
    """Fetch an address; give paths, or the number of what is in the pool already."""
    from skypool.pool.herschel_archive import archive_name

    address = item.removesuffix(DATALINK)
    again = [path for path, origin in found.origins.items() if origin["url"] == address]
    known = before.version(address)
    validators = known[1] if known is not None and item == address else {}
    if again:  # it was given twice
        yield from again
        return
    if known is not None and not (validators.keys() & {"etag", "modified"}):
        yield known[0]  # nobody can say more than that it was fetched
        return
    for url in _links(downloader, item):
        name = archive_name(item)
        download = downloader.fetch(url, validators, name=name)
        if download is None:
            assert known is not None
            yield known[0]
            return
        if name:
            _check_archive(download, downloader)
        found.origins[download.path] = {**download.origin, "url": address}
        found.bytes += os.stat(download.path).st_size
        found._downloads.append(download)
        yield download.path


def _check_archive(download: Download, downloader: Downloader) -> None:
    """Check that a download is a tar archive with its end.

    Raises
    ------
    NotFound
        If the server sent a text instead: that there is nothing.
    Unreachable
        If it was cut, and the server had not said how long it is.
    """
    with open(download.path, "rb") as file:
        start = file.read(512)
        file.seek(max(0, os.path.getsize(download.path) - 512))
        end = file.read()
    if is_tar(download.path):
        if start[:2] == b"\x1f\x8b" or not any(end):
            return
        problem: SkypoolError = Unreachable(
            f"what came from {download.url} has no end: the connection was cut",
            hint="the same command begins anew",
        )
    else:
        text = start.decode("utf-8", "replace").strip()
        problem = NotFound(f"{download.url} gave no archive but {text[:200]!r}")
    downloader.forget(download)
    raise problem


class _Before:
    """What a pool has from the network."""

    def __init__(self, view: View | None, options: AddOptions) -> None:
        self._view = view
        self._options = options
        self._newest: dict[str, tuple[int, dict[str, str]]] = {}
        if view is None or options.force_read:
            return
        for urn, text in view.identity.origins("url", view.at):
            origin = loads(text.encode())
            url = str(origin.get("url"))
            if "member" not in origin and urn > self._newest.get(url, (0, {}))[0]:
                self._newest[url] = urn, origin

    def version(self, url: str) -> tuple[int, dict[str, str]] | None:
        """Return the version that was fetched from an address and what is known of it.

        It counts only as the newest of its track, and under the name that is wanted; an archive
        counts also where it was changed since, or other parts came to it.
        """
        from skypool.pool.herschel_archive import archive_name

        view, options = self._view, self._options
        if view is None or url not in self._newest:
            return None
        urn, origin = self._newest[url]
        row = view.identity.version(urn, view.at)
        last = None if row is None else view.identity.latest(row.track, view.at)
        if last is None or not last.name or last.purged:
            return None
        if last.urn != urn and not archive_name(url):
            return None
        if options.name is not None and last.name != options.root(last.name):
            return None
        if options.under and not last.name.startswith(f"{options.under.strip('/')}/"):
            return None
        return last.urn, origin


def _links(downloader: Downloader, url: str) -> Iterator[str]:
    """Return the addresses of the data: the address, or those that it lists."""
    if not url.endswith(DATALINK):
        yield url
        return
    from astropy.io.votable import parse_single_table

    listing = downloader.fetch(url.removesuffix(DATALINK))
    assert listing is not None
    try:
        rows = parse_single_table(listing.path).to_table()
        these = [
            text_of(row["access_url"])
            for row in rows
            if text_of(row["semantics"]) == "#this" and is_url(text_of(row["access_url"]))
        ]
    except (KeyError, ValueError, IndexError, OSError):
        these = []
    downloader.forget(listing)
    if not these:
        raise NotFound(f"{url.removesuffix(DATALINK)} lists no data (no link '#this')")
    yield from these

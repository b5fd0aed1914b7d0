"""Content that is elsewhere: the places that may have it, looked at and read."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from skypool.catalogue.draft import SourceRow
from skypool.errors import Damaged, Dropped, SkypoolError, StorageError, UsageError
from skypool.pool.copying import PoolChunks, copy_chunks
from skypool.pool.folder import is_pool
from skypool.pool.named import locate, missing_pool
from skypool.pool.reaching import droppable, reached
from skypool.pool.sync.remotes import Remotes
from skypool.storage.inplace import FileSource

if TYPE_CHECKING:
    from skypool.catalogue.interface import VersionRow
    from skypool.pool.session import Session
    from skypool.pool.view import View
    from skypool.storage.interface import Writer

__all__ = ["Elsewhere", "content_digests", "dropped_error", "is_stored", "place_text"]


def content_digests(document: Mapping[str, Any], session: Session) -> list[bytes]:
    """Return the names of the chunks that hold the content of a document."""
    found: dict[bytes, None] = {}
    for segment in droppable(document):
        parts = list(reached(segment, session.fetch))
        for digests in parts if isinstance(segment["chunks"], str) else parts[1:]:
            found.update((digests[at : at + 32], None) for at in range(0, len(digests), 32))
    return list(found)


def is_stored(session: Session, document: Mapping[str, Any]) -> bool:
    """Return whether a pool has all content of a document itself, as its catalogue says."""
    digests = content_digests(document, session)
    return session.catalogue.chunks.are_good(digests)


def place_text(place: Mapping[str, Any]) -> str:
    """Return a place as it is shown."""
    if "pool" in place:
        return f"pool {place['pool']}"
    where = f"file {place['path']}" if "path" in place else str(place.get("url", ""))
    return f"{where} ({place['member']} in it)" if "member" in place else where


def dropped_error(
    view: View, row: VersionRow, places: Sequence[Mapping[str, Any]], why: str = ""
) -> Dropped:
    """Return the error that says where the content of a version can be had."""
    name = row.name or view.identity.last_name(row.track, view.identity.head())
    return Dropped(
        f"the content of {name or f'track {row.track}'}@{row.version} was dropped here"
        + (f", and cannot be had now: {why}" if why else "; it can be had from"),
        candidates=list(dict.fromkeys(map(place_text, places))),
        hint=f"`skypool get {name}@{row.version}` brings it back"
        + (": name a pool that has it with --from, or add its file again" if why else ""),
    )


@dataclass
class Elsewhere:
    """Places outside a pool that may have content of it.

    Parameters
    ----------
    session
        The open pool.
    given
        Names or paths of pools that are asked first.
    """

    session: Session
    given: Sequence[str]
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _opened: dict[str, Session | None] = field(default_factory=dict)
    _unpacked: dict[str, str] = field(default_factory=dict)
    why: str = ""

    def __enter__(self) -> Elsewhere:
        for text in self.given:
            path = locate(text, self.session.settings)
            if not is_pool(path):
                raise missing_pool(path, self.session.settings)
            if self._pool(path) is None:
                raise UsageError(
                    f"{path} is this pool, or a plain copy of it, which would drop what it drops",
                    hint="make a clone instead: `skypool clone`",
                )
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def places(self, urn: int, document: bytes) -> Iterator[dict[str, Any]]:
        """Return where the content of a version may be, likeliest first."""
        remotes = Remotes.read(self.session.folder)
        known = [*self.given, *(path for path in (remotes.push, remotes.pull) if path)]
        for text in dict.fromkeys(locate(text, self.session.settings) for text in known):
            yield {"pool": text}
        yield from self.session.catalogue.dropped(urn) or ()
        for source in self.session.catalogue.sources(document):
            yield {"path": source.path}
        origin = self.origin(urn)
        for key in ("path", "url"):
            if isinstance(origin.get(key), str):
                yield {name: origin[name] for name in (key, "member") if name in origin}

    def origin(self, urn: int) -> dict[str, Any]:
        """Return where a version came from."""
        from skypool.codec.documents import loads

        text = self.session.catalogue.origin(urn)
        found: dict[str, Any] = loads(text.encode()) if text else {}
        return found

    def _pool(self, path: str) -> Session | None:
        """Open another pool; None for this one, and for plain copies of it."""
        if path not in self._opened:
            from skypool.pool.pool import Pool

            self._opened[path] = None
            with contextlib.suppress(SkypoolError):
                found = self._stack.enter_context(Pool(path, "r", settings=self.session.settings))
                if found.view.session.folder.id != self.session.folder.id:
                    self._opened[path] = found.view.session
        return self._opened[path]

    # -- looking

    def has_pool(self, place: Mapping[str, Any]) -> bool:
        """Tell whether the pool of a place is at its path."""
        found = self._pool(place["pool"])
        return found is not None and found.folder.id.hex() == place["id"]

    def verified(self, place: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
        """Read all content of a document from a place; return it as the log notes it, or nothing.

        Whatever cannot be read, or is not as it was, does not have it.
        """
        try:
            if "pool" in place:
                other = self._pool(place["pool"])
                if other is None:
                    return {}
                for digest in content_digests(document, self.session):
                    other.fetch(digest)
                return {"pool": other.folder.path, "id": other.folder.id.hex()}
            with self._file(place) as path:
                if path and _has_hash(path, document):
                    return dict(place)
                self.why = f"{place_text(place)} has other content"
                return {}
        except SkypoolError as error:
            self.why = error.message
            return {}

    @contextlib.contextmanager
    def _file(self, place: Mapping[str, Any]) -> Iterator[str]:
        """Give the path of a file that may have the content; fetched, where it has an address."""
        if "member" in place:
            yield self._member(place)
            return
        if "path" in place:
            yield place["path"] if os.path.isabs(place["path"]) else ""
            return
        from skypool.pool.downloading import Downloader

        folder = os.path.join(os.fspath(self.session.settings.cache), "downloads")
        downloader = Downloader(folder)
        download = downloader.fetch(place["url"], {})
        try:
            yield download.path if download is not None else ""
        finally:
            if download is not None:
                downloader.forget(download)

    def _member(self, place: Mapping[str, Any]) -> str:
        """Return the path of a file of an archive; that is fetched and unpacked once for all."""
        whole = {key: value for key, value in place.items() if key != "member"}
        key = place_text(whole)
        if key not in self._unpacked:
            from skypool.pool.trees import unpack

            self._unpacked[key] = ""
            with self._file(whole) as path:
                if path:
                    FileSource(path).close()  # says it better where it is gone
                    folder = tempfile.TemporaryDirectory(prefix="skypool-")
                    self._stack.enter_context(folder)
                    unpack(path, folder)
                    self._unpacked[key] = folder.name
        folder_path, member = self._unpacked[key], os.path.normpath(place["member"])
        if not folder_path or os.path.isabs(member) or member.startswith(".."):
            return ""
        return os.path.join(folder_path, member)

    # -- reading

    def read(
        self,
        place: Mapping[str, Any],
        name: bytes,
        wanted: Iterable[bytes],
        writer: Writer,
        told: Callable[[int], None],
    ) -> list[bytes]:
        """Take chunks from a place, each checked by its name; return those that it has not."""
        wanted = list(wanted)
        try:
            if "pool" in place:
                other = self._pool(place["pool"])
                if other is None:
                    return wanted
                threads = self.session.store.threads()
                return copy_chunks(PoolChunks(other), writer, threads, wanted, told).missing
            with self._file(place) as path:
                if not path:
                    return wanted
                return self._of_file(path, name, wanted, writer, told)
        except SkypoolError as error:
            if isinstance(error, Damaged) or not writer_is_fine(error):
                raise
            self.why = error.message
            try:
                return [digest for digest in wanted if not writer.reuse(digest)]
            except StorageError:  # what failed was the writing, and the commit with it
                raise error from None

    def _of_file(
        self,
        path: str,
        name: bytes,
        wanted: list[bytes],
        writer: Writer,
        told: Callable[[int], None],
    ) -> list[bytes]:
        from skypool.pool.inplace import InPlaceChunks

        document = self.session.document(name)
        with FileSource(path) as source:
            row = SourceRow(name, path, source.size, source.state.mtime_ns, source.state.inode)
        chunks = InPlaceChunks(self.session, document, [row])
        missing = []
        for digest in wanted:
            if writer.reuse(digest):
                continue
            try:
                data = chunks.fetch(digest)
            except SkypoolError as error:
                self.why = error.message
                missing.append(digest)
            else:
                writer.put(data)
                told(len(data))
        return missing


def writer_is_fine(error: SkypoolError) -> bool:
    """Return whether an error is one of the other side, and not of what is written here."""
    from skypool.errors import DiskFull, ReadOnly

    return not isinstance(error, DiskFull | ReadOnly)


def _has_hash(path: str, document: Mapping[str, Any]) -> bool:
    from skypool.pool.sources import file_digest

    file = document.get("file")
    if file is None:
        return False
    outer = file.get("wrapper", file)
    with FileSource(path) as source:
        if source.size != outer["size"]:
            return False
        return bool(file_digest(source).hex() == outer["hash"])

"""Export: the files that were put in, byte for byte; standard FITS for the rest."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from skypool.codec.digest import Hasher
from skypool.codec.reading import RecipeReader
from skypool.codec.segments import segment_from_json
from skypool.errors import (
    Conflict,
    Damaged,
    DiskFull,
    ReadOnly,
    SkypoolError,
    StorageError,
    UsageError,
)
from skypool.pool.folder import is_pool
from skypool.pool.leaving_out import leaving_out
from skypool.pool.progress import OnProgress, Progress
from skypool.pool.ref import Ref
from skypool.pool.spelling import Spelling

if TYPE_CHECKING:
    from skypool.codec.sinks import Fetch

__all__ = [
    "ExportReport",
    "Exporter",
    "check_outside",
    "copy_file",
    "exporter_of",
    "file_name",
    "is_folder",
    "make_folder",
    "no_empty_folders",
    "safe_name",
    "write_file",
    "write_product_file",
    "write_whole",
]

_FITS_ENDS = (".fits", ".fit", ".fts")


@dataclass(slots=True)
class ExportReport:
    """What export wrote.

    Attributes
    ----------
    files : list of str
        Paths of the files, in order.
    bytes : int
        Their size together.
    inexact : list of (path, reason)
        Files whose content is right but whose bytes could not be made again, such as gzip
        files on a machine with another zlib.
    skipped : list of (name, reason)
        Products that are damaged, gone or elsewhere, where these are to be left out.
    """

    files: list[str] = field(default_factory=list)
    bytes: int = 0
    inexact: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


class Exporter:
    """Writes products and their trees into a folder.

    Parameters
    ----------
    overwrite
        Whether files of the same name may be replaced.
    on_progress
        Told how far the work is.
    skip_damaged
        Whether what is below a context and cannot be read is left out.
    """

    def __init__(
        self,
        *,
        overwrite: bool = False,
        on_progress: OnProgress | None = None,
        skip_damaged: bool = False,
    ) -> None:
        self._overwrite = overwrite
        self._skip_damaged = skip_damaged
        self.on_progress = on_progress
        self.report = ExportReport()
        # What was written where: the two halves of an observation share files.
        self._written: dict[str, str] = {}
        self._spelling = Spelling("")
        self._done = 0
        self._total = 0

    def export(self, ref: Ref, folder: str) -> ExportReport:
        """Write a product into a folder, which is made; a context's content goes right into it.

        Raises
        ------
        Conflict
            If a file of that name is there.
        Damaged
            If stored bytes are not what they were.
        """
        self._total = ref.total_size
        self._spelling = Spelling(folder)
        check_outside(folder)
        with no_empty_folders(folder):
            make_folder(folder)
            if is_folder(ref):
                self._context(ref, folder)
            else:
                self._product(ref, os.path.join(folder, file_name(ref)))
        return self.report

    def _context(self, ref: Ref, folder: str) -> None:
        make_folder(folder)
        paths = dict(ref.document.get("paths", ()))
        for role, child in ref.refs.items():
            if not isinstance(child, Ref):
                continue
            place = _inside(folder, paths.get(role)) or os.path.join(folder, safe_name(role))
            with leaving_out(child, self.report.skipped if self._skip_damaged else None):
                if is_folder(child):
                    self._context(child, place)
                else:
                    self._file(child, _with_end(place, child))

    def _file(self, ref: Ref, path: str) -> None:
        if self._written.get(path) == ref.hash:
            return
        make_folder(os.path.dirname(path))
        self._product(ref, path)
        self._written[path] = ref.hash  # of a folder of files, too

    def _product(self, ref: Ref, path: str) -> None:
        try:
            document = ref.document
            if "tree" in document:
                self._tree(ref, path)
                return
            self._check_free(path, ref.hash)
            exact = write_file(ref, path)
        except SkypoolError as error:
            if not error.message.startswith(f"{ref.name}@{ref.version}"):
                error.message = f"{ref.name}@{ref.version}: {error.message}"
            raise
        self._note(ref, path, exact)

    def _check_free(self, path: str, content: str) -> None:
        """Refuse to replace a file, and in any case one of other content that was just written.

        Raises
        ------
        Conflict
            If it is there; or something else has its path, or the file system takes it for it.
        """
        if path in self._written:
            if self._written[path] == content:
                return
            raise Conflict(
                f"two products become the file {path}",
                hint="export them one by one, or the whole pool (export --all), which numbers them",
            )
        if not os.path.lexists(path):
            return
        other = self._spelling.other(path)
        if other:
            raise Conflict(
                f"this file system takes {path} for {other}, which is there already",
                hint="export to another one, or the whole pool (export --all), which numbers them",
            )
        if not self._overwrite:
            raise Conflict(
                f"there is a file {path} already",
                hint="export into an empty folder, or allow overwriting (--overwrite)",
            )

    def _tree(self, ref: Ref, folder: str) -> None:
        make_folder(folder)
        fetch = ref.view.fetch_for(ref)
        for relative, file in ref.document["tree"]:
            path = os.path.join(folder, *(safe_name(part) for part in relative.split("/") if part))
            if file is None:
                make_folder(path)
                continue
            make_folder(os.path.dirname(path))
            self._check_free(path, ref.hash)
            exact = write_whole(path, lambda out, f=file: copy_file(f, fetch, out))
            self._note(ref, path, exact)

    def _note(self, ref: Ref, path: str, exact: bool) -> None:
        self._written[path] = ref.hash
        size = os.path.getsize(path)
        self.report.files.append(path)
        self.report.bytes += size
        if not exact:
            self.report.inexact.append(
                (path, "same content, but zlib here compresses it to other bytes")
            )
        self._done += size
        if self.on_progress is not None:
            count = len(self.report.files)
            self.on_progress(Progress("exporting", count, 0, self._done, self._total, path))


def exporter_of(form: str | None) -> type[Exporter]:
    """Return what writes files of a format.

    Parameters
    ----------
    form
        `hcss`, or None for files as they came.

    Raises
    ------
    UsageError
        If there is no such format.
    """
    if form is None:
        return Exporter
    if form != "hcss":
        raise UsageError(
            f"products cannot be exported as {form!r}",
            hint="the format is hcss; without one, files come as they were added",
        )
    from skypool.pool.exporting_hcss import HcssExporter

    return HcssExporter


def is_folder(ref: Ref) -> bool:
    """Say whether export makes a folder of a product: a context that is not a file itself."""
    return ref.is_context and ("file" not in ref.document or bool(ref.refs))


def file_name(ref: Ref) -> str:
    """Return the name of the file that a product becomes."""
    base = ref.name.rsplit("/", 1)[-1] or f"{ref.kind}-{ref.number}"
    return _with_end(safe_name(base), ref)


def _with_end(name: str, ref: Ref) -> str:
    """Give a product made in memory the extension of what it becomes."""
    document = ref.document
    if "file" in document or "tree" in document:
        return name
    name = name.removesuffix(".gz")  # of the file whose place it took
    return name if name.lower().endswith(_FITS_ENDS) else f"{name}.fits"


def _inside(folder: str, path: str | None) -> str:
    """Return a place in a folder, empty without one."""
    if path is None:
        return ""
    parts = [safe_name(part) for part in path.split("/") if part not in ("", ".")]
    return os.path.join(folder, *parts)


def safe_name(name: str) -> str:
    """Return a part of a name as a file may be called."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        return name.replace("/", "_").replace("\0", "_").replace("..", "__") or "_"
    return name


def check_outside(folder: str) -> None:
    """Refuse a folder to write into that is none, or is within a pool.

    Raises
    ------
    UsageError
        If it is.
    """
    if not folder:
        raise UsageError("the name of the folder is empty", hint="a dot is the current folder")
    above = os.path.realpath(folder)
    while True:
        if is_pool(above):
            raise UsageError(
                f"{folder} is within the pool {above}", hint="export to a folder outside of pools"
            )
        above, old = os.path.dirname(above), above
        if above == old:
            return


@contextlib.contextmanager
def no_empty_folders(folder: str) -> Iterator[None]:
    """Remove folders that were made on the way, and are empty, where the work ends early."""
    first = os.path.abspath(folder)
    if os.path.lexists(first):
        first = ""
    else:
        while not os.path.lexists(above := os.path.dirname(first)):
            first = above
    try:
        yield
    except BaseException:
        if first:
            for below, _, _ in os.walk(first, topdown=False):
                with contextlib.suppress(OSError):  # one that is not empty
                    Path(below).rmdir()
        raise


def make_folder(folder: str) -> None:
    """Make a folder, and those above it, if they are not there.

    Raises
    ------
    UsageError
        If a file is there.
    StorageError
        If it cannot be made.
    """
    try:
        os.makedirs(folder, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        above = folder
        while not os.path.lexists(above):
            above = os.path.dirname(above)
        raise UsageError(f"{above} is a file, not a folder", hint="choose another folder") from None
    except PermissionError:
        raise ReadOnly(
            f"the folder {folder} cannot be made: no permission",
            hint="choose a folder that you may write to",
        ) from None
    except OSError as error:
        raise StorageError(
            f"the folder {folder} cannot be made: {error.strerror}", hint="choose another folder"
        ) from None


def write_file(ref: Ref, path: str) -> bool:
    """Write a product's file; return whether its bytes are those that were put in.

    The file appears under its name only when it is complete and checked.
    """
    document = ref.document
    file = document.get("file")
    if file is not None:
        fetch = ref.view.fetch_for(ref)
        return write_whole(path, lambda out: copy_file(file, fetch, out))
    return write_whole(path, lambda out: write_product_file(ref, out))


def write_whole(path: str, fill: Any) -> bool:
    """Write a file that appears under its name only when it is complete."""
    temporary = os.path.join(os.path.dirname(path), f".skypool-{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as out:
            exact: bool = fill(out)
        os.replace(temporary, path)
    except OSError as error:
        if error.errno in (28, 122):  # no space, quota
            raise DiskFull(f"no room left to write {path}", hint="free some space") from None
        what = f"cannot write {path}: {error.strerror or error}"
        if isinstance(error, PermissionError):
            raise ReadOnly(what, hint="choose a folder that you may write to") from None
        raise StorageError(what, hint="choose another place, or make its folder first") from None
    finally:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(temporary)
    return exact


def write_product_file(ref: Ref, out: BinaryIO) -> bool:
    """Write a product that was made in memory as standard FITS; return True."""
    from skypool.formats.fits.writer import write_product

    write_product(ref.product, out)
    return True


def copy_file(file: Mapping[str, Any], fetch: Fetch, out: BinaryIO) -> bool:
    """Write a stored file; return whether its bytes are those that were put in.

    Parameters
    ----------
    file
        Its recipe.
    fetch
        Gives its chunks.
    out
        Where to.

    Raises
    ------
    Damaged
        If it is not what it was.
    """
    wrapper = file.get("wrapper")
    content = _checked(file, fetch)
    if wrapper is None:
        for piece in content:
            out.write(piece)
        return True
    from skypool.formats.gzip import rewrap

    made = rewrap(content, wrapper, fetch)
    for piece in made:
        out.write(piece)
    return made.exact


def _checked(file: Mapping[str, Any], fetch: Fetch) -> Iterator[bytes]:
    """Return the content of a file, its digest compared at the end."""
    reader = RecipeReader([segment_from_json(part) for part in file["segments"]], fetch)
    hasher = Hasher()
    for piece in _pieces(reader):
        hasher.update(piece)
        yield piece
    # Without a digest only headers were ever read; the source was checked by size and time.
    if hasher.digest().hex() != file.get("hash", hasher.digest().hex()):
        raise Damaged(
            "the file could not be made again as it was",
            hint="`skypool verify` tells what is damaged",
        )


def _pieces(reader: RecipeReader) -> Iterable[bytes]:
    return reader.blocks()

"""Files that a browser sends, kept in a folder of the cache until they are added."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
import uuid
from collections.abc import AsyncIterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from anyio import to_thread
from starlette.requests import ClientDisconnect

from skypool.errors import Conflict, DiskFull, NotFound, ReadOnly, StorageError, UsageError
from skypool.server.app import TooLarge
from skypool.server.endpoint import Asked, Endpoint, Parameter
from skypool.server.schema import TEXT, record

if TYPE_CHECKING:
    from skypool.server.context import Context

__all__ = ["Upload", "Uploads", "routes", "safe_parts"]

_MOST_FILES: Final = 200_000
_MOST_BYTES: Final = 1 << 40
_DEEPEST: Final = 64
_LONGEST: Final = 4096
_LONGEST_PART: Final = 255
# An upload that nothing happens to for so long is given up, in seconds.
_IDLE: Final = 24 * 3600
# Bytes that are left free on the disk.
_SPARE: Final = 256 << 20
_PIECE: Final = 1 << 20


@dataclass(eq=False)
class Upload:
    """Files on their way into a pool.

    Attributes
    ----------
    id : str
    folder : str
        Holds `tree`, what has come whole, and `parts`, what is coming.
    files, bytes : int
        What has come whole.
    taken : bool
        Whether a job adds it: nothing more can be sent.
    """

    id: str
    folder: str
    files: int = 0
    bytes: int = 0
    taken: bool = False
    touched: float = field(default_factory=time.monotonic)

    @property
    def tree(self) -> str:
        """The folder of the files as they were sent."""
        return os.path.join(self.folder, "tree")

    def entries(self) -> list[str]:
        """Return the paths of the files and folders that were dropped."""
        return [os.path.join(self.tree, name) for name in sorted(os.listdir(self.tree))]

    def to_json(self) -> dict[str, Any]:
        """Return what clients see of it."""
        return {"upload": self.id, "files": self.files, "bytes": self.bytes}


def safe_parts(path: str) -> list[str]:
    """Return the parts of a relative path that stays within its folder.

    Raises
    ------
    UsageError
        If it does not, or no file can be called so.
    """
    parts = path.split("/")
    try:
        sizes = [len(os.fsencode(part)) for part in parts]
    except UnicodeEncodeError:
        raise UsageError(f"the path {path[:80]!r} has characters that no file has") from None
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise UsageError(
            f"the path {path[:80]!r} is not within a folder",
            hint="paths are relative, with no empty part and no '.' or '..'",
        )
    if max(sizes) > _LONGEST_PART or sum(sizes) + len(sizes) > _LONGEST or len(parts) > _DEEPEST:
        raise UsageError(f"the path {path[:80]!r}... is too long")
    return parts


class Uploads:
    """The uploads of a server; those that nobody takes go with it.

    Parameters
    ----------
    context
        What the routes share.
    """

    def __init__(self, context: Context) -> None:
        self.most_files = _MOST_FILES
        self.most_bytes = _MOST_BYTES
        self._base = os.path.join(os.fspath(context.settings.cache), "uploads")
        self._lock = threading.Lock()
        self._uploads: dict[str, Upload] = {}
        context.at_end(self.close)

    def new(self) -> Upload:
        """Begin an upload."""
        self._tidy()
        name = uuid.uuid4().hex
        folder = os.path.join(self._base, name)
        try:
            os.makedirs(self._base, mode=0o700, exist_ok=True)
            os.makedirs(folder, mode=0o700)
            for part in ("tree", "parts"):
                os.makedirs(os.path.join(folder, part))
        except PermissionError:
            raise ReadOnly(
                f"nothing can be written in {self._base}", hint="set SKYPOOL_CACHE to your folder"
            ) from None
        except OSError as error:
            raise StorageError(f"cannot make {folder}: {error.strerror}") from None
        upload = Upload(name, folder)
        with self._lock:
            self._uploads[name] = upload
        return upload

    def __getitem__(self, key: str) -> Upload:
        """Return an upload that goes on.

        Raises
        ------
        NotFound
            If there is none.
        """
        with self._lock:
            found = self._uploads.get(key)
        if found is None:
            raise NotFound(f"there is no upload {key[:40]!r}", hint="begin another")
        return found

    def take(self, key: str) -> Upload:
        """Return an upload for a job that adds it, and drops it then.

        Raises
        ------
        Conflict
            If another job has it.
        """
        upload = self[key]
        with self._lock:
            if upload.taken:
                raise Conflict("this upload is being added already")
            upload.taken = True
        if not upload.files:
            upload.taken = False
            raise UsageError("nothing was uploaded", hint="send files first")
        return upload

    def drop(self, key: str) -> None:
        """Remove an upload with its files."""
        upload = self[key]
        with self._lock:
            self._uploads.pop(key, None)
        shutil.rmtree(upload.folder, ignore_errors=True)

    async def receive(
        self, upload: Upload, path: str, content: AsyncIterable[bytes], size: int | None
    ) -> None:
        """Take a file; it is there when all of it has come, and else not at all.

        Raises
        ------
        TooLarge
            If it would be more than is taken.
        UsageError
            If the path cannot be, or less came than was said.
        """
        parts = safe_parts(path)
        self._check(upload, size or 0)
        place = os.path.join(upload.folder, "parts", uuid.uuid4().hex)
        came = 0
        try:
            with open(place, "xb") as file:
                async for piece in _pieces(content):
                    came += len(piece)
                    self._check(upload, came)
                    await to_thread.run_sync(_write, file, piece)
            if size is not None and came != size:
                raise UsageError(f"{came} bytes of {path!r} came, and {size} were said to")
            self._keep(upload, place, parts, came)
        except ClientDisconnect:
            raise UsageError(f"the upload of {path!r} was cut off") from None
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(place)

    def _check(self, upload: Upload, size: int) -> None:
        upload.touched = time.monotonic()
        if upload.taken:
            raise Conflict("this upload is being added already")
        if upload.bytes + size > self.most_bytes or upload.files >= self.most_files:
            raise TooLarge(
                f"an upload has at most {self.most_files} files and {self.most_bytes} bytes",
                hint="add the folder by its path on the server",
            )
        try:
            free = shutil.disk_usage(upload.folder).free
        except FileNotFoundError:  # it was dropped
            raise NotFound("this upload was given up", hint="begin another") from None
        if size > max(0, free - _SPARE):
            raise DiskFull(f"no room left in {self._base}", hint="free some space")

    def _keep(self, upload: Upload, place: str, parts: list[str], size: int) -> None:
        target = os.path.join(upload.tree, *parts)
        with self._lock:
            try:
                os.makedirs(os.path.dirname(target), exist_ok=True)
                old = os.path.getsize(target) if os.path.isfile(target) else None
                os.replace(place, target)
            except (FileExistsError, NotADirectoryError, IsADirectoryError):
                raise UsageError(f"{'/'.join(parts)!r} is a file and a folder") from None
            except FileNotFoundError:
                raise NotFound("this upload was given up", hint="begin another") from None
            except OSError as error:
                raise StorageError(f"cannot keep {parts[-1]!r}: {error.strerror}") from None
            upload.bytes += size - (old or 0)
            upload.files += old is None

    def leave_out(self, upload: Upload, path: str) -> None:
        """Remove a file that has come; nothing happens where it has not."""
        if upload.taken:
            raise Conflict("this upload is being added already")
        target = os.path.join(upload.tree, *safe_parts(path))
        with self._lock:
            if not os.path.isfile(target):
                return
            size = os.path.getsize(target)
            os.unlink(target)
            upload.bytes -= size
            upload.files -= 1
            # A folder is added even if it is empty: none stays for what was left out.
            folder = Path(target).parent
            with contextlib.suppress(OSError):  # one that is not empty
                while folder != Path(upload.tree):
                    folder.rmdir()
                    folder = folder.parent

    def _tidy(self) -> None:
        now = time.monotonic()
        for upload in list(self._uploads.values()):
            if not upload.taken and now - upload.touched > _IDLE:
                self.drop(upload.id)

    def close(self) -> None:
        """Remove all that is left."""
        for key in list(self._uploads):
            with contextlib.suppress(NotFound):
                self.drop(key)


async def _pieces(content: AsyncIterable[bytes]) -> AsyncIterable[bytes]:
    """Join what comes to pieces that are worth writing."""
    waiting: list[bytes] = []
    size = 0
    async for part in content:
        waiting.append(part)
        size += len(part)
        if size >= _PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def _write(file: BinaryIO, piece: bytes) -> None:
    try:
        file.write(piece)
    except OSError as error:
        if error.errno in (28, 122):  # no space, quota
            raise DiskFull("no room left for the upload", hint="free some space") from None
        raise StorageError(f"cannot write the upload: {error.strerror}") from None


# -- routes


def _begin(asked: Asked) -> Any:
    return asked.context.part(Uploads).new().to_json()


async def _put(asked: Asked) -> Any:
    uploads = asked.context.part(Uploads)
    upload = uploads[asked["id"]]
    declared = asked.request.headers.get("content-length", "")
    size = int(declared) if declared.isascii() and declared.isdigit() else None
    await uploads.receive(upload, asked["path"], asked.request.stream(), size)
    return upload.to_json()


def _leave_out(asked: Asked) -> Any:
    uploads = asked.context.part(Uploads)
    upload = uploads[asked["id"]]
    uploads.leave_out(upload, asked["path"])
    return upload.to_json()


def _drop(asked: Asked) -> Any:
    uploads = asked.context.part(Uploads)
    if uploads[asked["id"]].taken:
        raise Conflict("this upload is being added", hint="cancel the job")
    uploads.drop(asked["id"])
    return {}


_UPLOAD: Final = record(["upload"], more=True, upload=TEXT)
_ID: Final = Parameter(name="id", place="path", required=True, summary="as `POST uploads` gave it")


def routes(context: Context) -> list[Endpoint]:
    """Return the routes of uploads."""
    return [
        Endpoint(
            method="POST", path="uploads", answer=_begin, summary="Begin an upload.",
            result=_UPLOAD, changes=True, group="Work",
        ),
        Endpoint(
            method="PUT", path="uploads/{id}/files/{path:path}", answer=_put,
            summary="Send a file of it.", parameters=[_ID], result=_UPLOAD, changes=True,
            raw_body="application/octet-stream", group="Work",
        ),
        Endpoint(
            method="DELETE", path="uploads/{id}/files/{path:path}", answer=_leave_out,
            summary="Leave a file of it out.", parameters=[_ID], result=_UPLOAD, changes=True,
            group="Work",
        ),
        Endpoint(
            method="DELETE", path="uploads/{id}", answer=_drop, summary="Give an upload up.",
            parameters=[_ID], changes=True, group="Work",
        ),
    ]  # fmt: skip

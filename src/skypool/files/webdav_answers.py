"""Errors as answers of WebDAV."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from wsgidav.dav_error import (
    HTTP_CONFLICT,
    HTTP_FORBIDDEN,
    HTTP_INSUFFICIENT_STORAGE,
    HTTP_INTERNAL_ERROR,
    HTTP_NOT_FOUND,
    DAVError,
)

from skypool.errors import SkypoolError
from skypool.files.operations import errno_of

__all__ = ["answer_to", "answered"]

_STATUS: Final = {
    errno.ENOENT: HTTP_NOT_FOUND,
    errno.ENODATA: HTTP_NOT_FOUND,
    errno.EEXIST: HTTP_CONFLICT,
    errno.EISDIR: HTTP_CONFLICT,
    errno.ENOTDIR: HTTP_CONFLICT,
    errno.ENOTEMPTY: HTTP_CONFLICT,
    errno.EBUSY: HTTP_CONFLICT,
    errno.EROFS: HTTP_FORBIDDEN,
    errno.EPERM: HTTP_FORBIDDEN,
    errno.EACCES: HTTP_FORBIDDEN,
    errno.EINVAL: HTTP_FORBIDDEN,
    errno.ENAMETOOLONG: HTTP_FORBIDDEN,
    errno.ENOSPC: HTTP_INSUFFICIENT_STORAGE,
    errno.EDQUOT: HTTP_INSUFFICIENT_STORAGE,
}


@contextmanager
def answered() -> Iterator[None]:
    """Turn errors into answers of HTTP."""
    try:
        yield
    except SkypoolError as error:
        text = f"{error.message} ({error.hint})" if error.hint else error.message
        status = _STATUS.get(errno_of(error), HTTP_INTERNAL_ERROR)
        raise DAVError(status, text, src_exception=error) from error
    except OSError as error:
        raise answer_to(error) from error


def answer_to(error: OSError) -> DAVError:
    """Return the answer that tells of an error of the system."""
    status = _STATUS.get(error.errno or 0, HTTP_INTERNAL_ERROR)
    return DAVError(status, error.strerror or str(error), src_exception=error)

"""Errors of damaged chunks that say which product and dataset they hurt."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from skypool.codec.sinks import Fetch
from skypool.errors import Damaged
from skypool.pool.reaching import datasets_of, reached

if TYPE_CHECKING:
    from skypool.pool.ref import Ref

__all__ = ["hurt_by", "naming", "of_document"]


def naming(ref: Ref, fetch: Fetch) -> Fetch:
    """Return a fetch whose errors name the dataset of a version that a chunk belongs to."""

    def fetch_named(digest: bytes) -> bytes:
        try:
            return fetch(digest)
        except Damaged as error:
            session = ref.view.session
            parts = hurt_by(ref.document, digest, session.fetch)
            base = f"{_text(ref)}/" if parts else _text(ref)
            where = ", ".join(f"{base}{part}" for part in parts[:5]) or base
            raise type(error)(f"{where}: {error.message}", hint=error.hint) from None

    return fetch_named


def of_document(ref: Ref, error: Damaged) -> Damaged:
    """Return the error of a version whose document cannot be read."""
    return Damaged(f"{_text(ref)}: {error.message}", hint=error.hint)


def hurt_by(document: Mapping[str, Any], digest: bytes, fetch: Fetch) -> list[str]:
    """Return the paths of the datasets that need a chunk."""
    found = []
    for path, parts in datasets_of(document):
        with contextlib.suppress(Damaged):  # a list of chunks that is damaged itself
            for digests in reached(parts, fetch):
                if digest in (digests[at : at + 32] for at in range(0, len(digests), 32)):
                    found.append(path)
                    break
    return found


def _text(ref: Ref) -> str:
    return f"{ref.name or ref.urn}@{ref.version}"

"""What a pool should hold, kept without any of skypool's storage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

__all__ = ["Entry", "Model"]

Content = Any  # an array, the bytes of a file, or None for a folder


@dataclass(frozen=True, slots=True)
class Entry:
    """The versions of one name, oldest first, and the tags of each."""

    contents: tuple[Content, ...] = ()
    tags: tuple[frozenset[str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A pool as of a commit; methods return what the next commit makes of it.

    Attributes
    ----------
    commit : int
        Number of the commit; 0 for a pool without any.
    live, removed : mapping
        Entries by name.
    """

    commit: int = 0
    live: Mapping[str, Entry] = field(default_factory=dict)
    removed: Mapping[str, Entry] = field(default_factory=dict)

    def saved(self, name: str, content: Content, tags: Iterable[str] = ()) -> Model:
        """Return it with one more version of a name."""
        return self.added({name: content}, {name: tags})

    def added(
        self, contents: Mapping[str, Content], tags: Mapping[str, Iterable[str]] | None = None
    ) -> Model:
        """Return it with a new version of each name whose content is another one."""
        live = dict(self.live)
        for name, content in contents.items():
            old = live.get(name, Entry())
            if old.contents and _same(old.contents[-1], content):
                continue
            labels = frozenset((tags or {}).get(name, ()))
            live[name] = Entry((*old.contents, content), (*old.tags, labels))
        return replace(self, commit=self.commit + 1, live=live)

    def tagged(self, name: str, *tags: str, on: bool = True) -> Model:
        """Return it with tags set on, or taken from, the newest version of a name."""
        entry = self.live[name]
        last = entry.tags[-1] | set(tags) if on else entry.tags[-1] - set(tags)
        changed = replace(entry, tags=(*entry.tags[:-1], last))
        return replace(self, commit=self.commit + 1, live={**self.live, name: changed})

    def renamed(self, old: str, new: str) -> Model:
        """Return it with a name, and all below it, called otherwise."""
        live = {
            new + name[len(old) :] if name == old or name.startswith(f"{old}/") else name: entry
            for name, entry in self.live.items()
        }
        return replace(self, commit=self.commit + 1, live=live)

    def without(self, name: str) -> Model:
        """Return it with a name removed."""
        live = dict(self.live)
        removed = {**self.removed, name: live.pop(name)}
        return replace(self, commit=self.commit + 1, live=live, removed=removed)

    def restored(self, name: str) -> Model:
        """Return it with a removed name back."""
        removed = dict(self.removed)
        live = {**self.live, name: removed.pop(name)}
        return replace(self, commit=self.commit + 1, live=live, removed=removed)


def _same(a: Content, b: Content) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return bool(np.array_equal(a, b))
    return bool(a == b)

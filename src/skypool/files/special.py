"""Folders beside those of the names: versions, tags, earlier times, searches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from skypool.catalogue.levels import days, found_rows
from skypool.errors import NotFound, QueryError, UsageError
from skypool.files.nodes import Entry, FolderNode, MadeFolder, Scene, put_in
from skypool.files.shown import GivenUpNode, NamesNode, node_of, numbered
from skypool.pool.exporting import safe_name
from skypool.pool.history import commit_number

__all__ = ["SPECIAL", "RootNode", "part_of", "text_of"]

VERSIONS: Final = "@versions"
TAGS: Final = "@tags"
AT: Final = "@at"
SEARCH: Final = "@search"
#: The folders beside those of the names.
SPECIAL: Final = (AT, SEARCH, TAGS, VERSIONS)


def part_of(text: str) -> str:
    """Return a text as one part of a path."""
    made = text.replace("%", "%25").replace("/", "%2F")
    return made.replace(".", "%2E") if made in (".", "..") else made


def text_of(part: str) -> str:
    """Undo `part_of`; other percent signs are left."""
    for written, meant in (("%2F", "/"), ("%2f", "/"), ("%2E", "."), ("%2e", ".")):
        part = part.replace(written, meant)
    return part.replace("%25", "%")


class RootNode(NamesNode):
    """The uppermost folder.

    Parameters
    ----------
    scene
        The pool; what it finds in folders is set here.
    listed
        Whether the special folders are listed, not only found.
    special
        Whether there are any.
    """

    __slots__ = ("_listed", "_special")

    def __init__(self, scene: Scene, *, listed: bool = True, special: bool = True) -> None:
        super().__init__(scene, "")
        self._listed = listed and special
        self._special: dict[str, Entry] = {}
        if scene.view is None:
            return
        commit = scene.view.identity.commit(scene.at)
        self.mtime_ns = commit.time_us * 1000 if commit else 0
        if special:
            scene.versions_of = VersionsNode
            made = (AtNode(scene, AT), SearchNode(scene, SEARCH), TagsNode(scene, TAGS))
            self._special = {node.name: node for node in (*made, VersionsNode(self))}
            for node in self._special.values():
                node.special = True

    def listed(self) -> Iterable[Entry]:
        """Return what is in it."""
        own = self.content().values()
        return [*self._special.values(), *own] if self._listed else own

    def child(self, name: str) -> Entry | None:
        """Return what is in it under a name; None where there is nothing."""
        return self._special.get(name) or super().child(name)


class VersionsNode(FolderNode):
    """All versions of a file or folder, and those of what is in the folder, each in one more."""

    __slots__ = ("_of",)

    def __init__(self, of: Entry, name: str = VERSIONS) -> None:
        super().__init__(of.scene, name, of.ref, of.mtime_ns)
        self._of = of

    def _read(self) -> dict[str, Entry]:
        inside: dict[str, Entry] = {}
        if isinstance(self._of, NamesNode):
            for entry in self._of.content().values():
                if isinstance(entry, GivenUpNode):
                    continue
                inside[entry.name] = VersionsNode(entry, entry.name)
        return {**inside, **self._versions()}

    def _look(self, name: str) -> Entry | None:
        found = self._versions().get(name)
        if found is not None or not isinstance(self._of, NamesNode):
            return found
        entry = self._of.child(name)
        if entry is None or entry.special or isinstance(entry, GivenUpNode):
            return None
        return VersionsNode(entry, name)

    def _versions(self) -> dict[str, Entry]:
        ref, scene = self._of.ref, self.scene
        if ref is None or scene.view is None:
            return {}
        rows = scene.view.identity.track_versions(ref.track, scene.at)
        numbers = [row.urn for row in rows if not row.purged]
        found = found_rows(scene.view.session.catalogue.database, scene.at, numbers)
        made: dict[str, Entry] = {}
        for number in numbers:
            each = found[number]
            base = numbered(self._of.name, each.row.version)
            node = node_of(scene, base, each)
            made[node.name] = node
        return made


class TagsNode(FolderNode):
    """A folder for each tag."""

    __slots__ = ()

    def _read(self) -> dict[str, Entry]:
        view = self.scene.view
        if view is None:
            return {}
        tags = (part_of(tag) for tag, _ in view.identity.all_tags(self.scene.at))
        return {tag: TagNode(self.scene, tag) for tag in tags}

    def _look(self, name: str) -> Entry | None:
        view = self.scene.view
        if view is None or not view.identity.tagged(text_of(name), self.scene.at):
            return None
        return TagNode(self.scene, name)


class TagNode(FolderNode):
    """What carries a tag."""

    __slots__ = ()

    def _read(self) -> dict[str, Entry]:
        view = self.scene.view
        assert view is not None
        rows = view.identity.tagged(text_of(self.name), self.scene.at)
        return chosen(self.scene, [row.urn for row in rows])


class AtNode(FolderNode):
    """The pool at earlier times: a folder is listed for each day of a commit."""

    __slots__ = ()

    def _read(self) -> dict[str, Entry]:
        view = self.scene.view
        if view is None:
            return {}
        found = days(view.session.catalogue.database, self.scene.at)
        return {day: self._root(day, commit) for day, commit in found}

    def _look(self, name: str) -> Entry | None:
        view = self.scene.view
        if view is None:
            return None
        try:
            commit = commit_number(view.identity, text_of(name))
        except (NotFound, UsageError):
            return None
        return self._root(name, min(commit, self.scene.at))

    def _root(self, name: str, commit: int) -> Entry:
        root = RootNode(self.scene.earlier(commit), listed=False)
        root.name = name
        return root


class SearchNode(FolderNode):
    """The results of searches: those that are saved are listed."""

    __slots__ = ()

    def _read(self) -> dict[str, Entry]:
        searches = self.scene.pool.searches() if self.scene.view is not None else {}
        return {part_of(name): self._found(part_of(name), saved=name) for name in sorted(searches)}

    def _look(self, name: str) -> Entry | None:
        if name in self.content():
            return self.content()[name]
        if self.scene.view is None:
            return None
        try:
            return self._found(name, query=text_of(name))
        except QueryError as error:
            raise NotFound(f"{text_of(name)!r} is no search: {error.message}") from None

    def _found(self, name: str, query: str = "", saved: str | None = None) -> Entry:
        node = ResultNode(self.scene, name, query, saved)
        if saved is None:
            node.content()  # a query that is none is no folder
        return node


class ResultNode(FolderNode):
    """What a search finds."""

    __slots__ = ("_query", "_saved")

    def __init__(self, scene: Scene, name: str, query: str, saved: str | None) -> None:
        super().__init__(scene, name)
        self._query, self._saved = query, saved

    def _read(self) -> dict[str, Entry]:
        pool = self.scene.pool
        hits = pool.find(saved=self._saved) if self._saved else pool.find(self._query)
        return chosen(self.scene, [ref.number for ref in hits])


def chosen(scene: Scene, numbers: Sequence[int]) -> dict[str, Entry]:
    """Return versions below folders of their names.

    Of several versions of one product the newest has the name itself.
    """
    assert scene.view is not None
    rows = found_rows(scene.view.session.catalogue.database, scene.at, numbers)
    top = MadeFolder(scene, "")
    taken: set[tuple[str, ...]] = set()
    named = []
    for found in rows.values():
        if not found.row.purged:
            name = found.row.name or scene.view.last_name(found.row.track)
            named.append((name, -found.row.version, found))
    for name, version, found in sorted(named, key=lambda each: each[:2]):
        parts = [safe_name(part) for part in name.split("/")]
        entry = node_of(scene, parts[-1], found)
        if (*parts[:-1], entry.name) in taken:
            entry.name = numbered(entry.name, -version)
        taken.add((*parts[:-1], entry.name))
        put_in(top, [*parts[:-1], entry.name], entry)
    return top.content()

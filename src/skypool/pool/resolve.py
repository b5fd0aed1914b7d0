"""What `pool["..."]` finds: URN, name, name@version, name@tag, tag, hash, in this order.

Last comes the number of an observation whose name is another one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable

from skypool.errors import Ambiguous, InvalidName, NotFound
from skypool.pool.ref import Ref
from skypool.pool.view import View

__all__ = ["check_name", "check_tag", "resolve", "resolve_track"]

_URN = re.compile(r"urn:([^:]*):([^:]+):(\d+)")
_HASH = re.compile(r"[0-9a-f]{6,64}")
_MOST_CANDIDATES = 20
# Characters of a name that is not there, in what is said of it.
_LONGEST = 200


def check_name(name: str) -> str:
    """Return a name that a track can have.

    Raises
    ------
    InvalidName
        If it cannot.
    """
    problem = ""
    parts = name.split("/")
    if not name:
        problem = "is empty"
    elif name.startswith("/"):
        problem = "is absolute; names are relative, such as 'maps/m83.fits'"
    elif "" in parts or "." in parts or ".." in parts:
        problem = "has an empty part, or a part '.' or '..'"
    elif "\0" in name:
        problem = "has a NUL character"
    elif name.startswith(("urn:", "tag:", "name:")):
        problem = "starts like a URN or with 'tag:' or 'name:', which have a meaning of their own"
    if problem:
        raise InvalidName(
            f"the name {name!r} {problem}",
            hint="a name is one or more parts with / between them, such as maps/m83.fits",
        )
    return name


def check_tag(tag: str) -> str:
    """Return a tag that a version can have.

    Raises
    ------
    InvalidName
        If it cannot.
    """
    problem = ""
    if not tag.strip():
        problem = "is empty"
    elif tag != tag.strip():
        problem = "starts or ends with a blank"
    elif any(char in tag for char in "\r\n\0"):
        problem = "has a line break"
    elif tag.startswith("urn:"):
        problem = "starts like a URN"
    if problem:
        raise InvalidName(
            f"the tag {tag!r} {problem}", hint="a tag is a text on one line, such as 'good data'"
        )
    return tag


def resolve(view: View, text: str) -> Ref:
    """Return what a text stands for.

    Raises
    ------
    NotFound
        If nothing; names near it are suggested.
    Ambiguous
        If it stands for several; they are listed.
    """
    # All steps are of one commit; the ref is that of the view, which may follow the newest.
    found = _find(View(view.session, view.at), text)
    if found is None:
        what = "tag" if text.startswith("tag:") else "name" if text.startswith("name:") else ""
        raise _not_found(view, text.removeprefix(f"{what}:") if what else text, what or "product")
    return view.ref(found.row)


def _find(view: View, text: str) -> Ref | None:
    if text.startswith("urn:"):
        return _by_urn(view, text)
    if text.startswith("tag:"):
        return _by_tag(view, text[4:])
    forced = text.startswith("name:")
    name = text[5:] if forced else text
    steps: list[Callable[[View, str], Ref | None]] = [_by_name, _by_name_and_more]
    if not forced:
        steps += [_by_tag, _by_hash, _by_obsid]
    for step in steps:
        found = step(view, name.rstrip("/") if step is _by_name else name)
        if found is not None:
            return found
    return None


def resolve_track(view: View, name: str) -> int | None:
    """Return the track of a name, exact, by its stem where that is unique, or by references.

    `1342182452/level2/PSW` is what the product `1342182452/level2` refers to as `PSW`, whatever
    the name of that is.
    """
    at = view.at
    track = view.identity.named(name, at)
    if track is not None:
        return track
    found = view.identity.with_stem(name, at) if name else []
    if len(found) > 1:
        raise Ambiguous(
            f"{name!r} could be any of", candidates=[n for n, _ in found[:_MOST_CANDIDATES]]
        )
    return found[0][1] if found else _by_references(view, name)


def _by_references(view: View, name: str) -> int | None:
    """Follow references from the longest part of a name that is one."""
    parts = name.split("/")
    for length in range(len(parts) - 1, 0, -1):
        track = view.identity.named("/".join(parts[:length]), view.at)
        if track is None and length == 1:
            track = _observation_track(view, parts[0])
        row = None if track is None else view.identity.latest(track, view.at)
        if row is None:
            continue
        found: object = view.ref(row)
        for role in parts[length:]:
            if not isinstance(found, Ref) or not found.is_context or role not in found.refs:
                return None
            found = found.refs[role]
        return found.track if isinstance(found, Ref) else None
    return None


def _observation_track(view: View, text: str) -> int | None:
    """Return the only observation of a number, None if there is none."""
    found = _observations(view, text)
    return found[0].track if len(found) == 1 else None


def _observations(view: View, text: str) -> list[Ref]:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        return []
    rows = view.identity.with_value("obsid", int(text), view.at)
    return [ref for ref in map(view.ref, rows) if ref.is_kind("ObservationContext")]


def _by_urn(view: View, text: str) -> Ref:
    match = _URN.fullmatch(text)
    if match is None:
        raise InvalidName(
            f"{text[:_LONGEST]!r} is not a URN: urn:<pool>:<kind>:<number>",
            hint="`skypool show NAME` tells the URN of a product",
        )
    pool, kind, number = match.groups()
    own = view.session.folder.name
    row = view.identity.version(int(number), view.at)
    if row is None or row.kind != kind or pool not in ("", own):
        raise NotFound(
            f"there is no {text}" + (f" in the pool {own}" if pool in ("", own) else ""),
            hint=""
            if pool in ("", own)
            else f"that is a product of the pool {pool!r}, this one is {own!r}",
        )
    return view.ref(row)


def _by_name(view: View, name: str) -> Ref | None:
    track = resolve_track(view, name)
    row = None if track is None else view.identity.latest(track, view.at)
    return None if row is None else view.ref(row)


def _by_name_and_more(view: View, text: str) -> Ref | None:
    """Find `name@version` and `name@tag`; names and tags may hold `@` themselves."""
    at = text.rfind("@")
    while at > 0:
        name, more = text[:at], text[at + 1 :]
        track = resolve_track(view, name)
        if track is not None:
            found = _of_track(view, track, name, more)
            if found is not None:
                return found
        at = text.rfind("@", 0, at)
    return None


def _of_track(view: View, track: int, name: str, more: str) -> Ref | None:
    if more.isascii() and more.isdigit():
        row = view.identity.numbered(track, int(more), view.at)
        if row is not None:
            return view.ref(row)
    tagged = [row for row in view.identity.tagged(more, view.at) if row.track == track]
    if tagged:
        return view.ref(max(tagged, key=lambda row: row.version))
    if more.isascii() and more.isdigit():
        versions = view.identity.track_versions(track, view.at)
        raise NotFound(
            f"{name!r} has no version {more}; it has 0 to {versions[-1].version}"
            if len(versions) > 1
            else f"{name!r} has no version {more}, only 0",
            hint=f"`skypool history {name}` lists its versions",
        )
    return None


def _by_tag(view: View, tag: str) -> Ref | None:
    rows = view.identity.tagged(tag, view.at)
    if not rows:
        return None
    if len({row.track for row in rows}) > 1:
        newest = {row.track: row for row in rows}  # rows come oldest first
        raise Ambiguous(
            f"the tag {tag!r} is on several products",
            candidates=[
                f"{row.name or view.last_name(row.track)}@{row.version}"
                for row in list(newest.values())[:_MOST_CANDIDATES]
            ],
            hint="name one of them, or take all of them with pool.tagged(tag)",
        )
    return view.ref(rows[-1])


def _by_hash(view: View, text: str) -> Ref | None:
    if not _HASH.fullmatch(text):
        return None
    low = bytes.fromhex(text.ljust(64, "0"))
    high = bytes.fromhex(text.ljust(64, "f"))
    rows = view.identity.hashed(low, high, view.at)
    if len({row.urn for row in rows}) > 1:
        raise Ambiguous(
            f"the hash {text} could be any of",
            candidates=[f"{row.name}@{row.version}" for row in rows[:_MOST_CANDIDATES]],
        )
    return view.ref(rows[0]) if rows else None


def _by_obsid(view: View, text: str) -> Ref | None:
    found = _observations(view, text)
    if len(found) > 1:
        raise Ambiguous(
            f"there are several observations {text}",
            candidates=[ref.name for ref in found[:_MOST_CANDIDATES]],
        )
    return found[0] if found else None


def _near(view: View, text: str) -> list[str]:
    """Return names and tags that look like a text, extensions and folders left out too."""
    known = view.identity.some_names(view.at)
    spelt: dict[str, str] = {}
    for name in [*known, *(tag for tag, _ in view.identity.all_tags(view.at))]:
        stem = name.partition(".")[0]
        for form in (name, stem, stem.rpartition("/")[2]):
            spelt.setdefault(form, name)
    close = difflib.get_close_matches(text, spelt, n=5)
    return list(dict.fromkeys(spelt[form] for form in close))


def _not_found(view: View, text: str, what: str) -> NotFound:
    identity, at = view.identity, view.at
    names = identity.like_names(text, at)
    if len(names) < 3:
        names += [n for n in _near(view, text) if n not in names]
    hint = ""
    removed = identity.removed(text, at)
    if removed is not None:
        hint = f"it was removed; `skypool restore {text}` brings it back"
    elif names:
        hint = "did you mean one of these?"
        if any("\n" in name for name in names):
            hint += r" \n stands for a line break, which $'...' gives in a shell"
    else:
        hint = "`skypool ls` lists the names"
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return NotFound(
        f"there is no {what} {shown!r} in the pool {view.session.folder.name}"
        + (f" as of commit {view.pinned}" if view.pinned is not None else ""),
        candidates=names[:5],
        hint=hint,
    )

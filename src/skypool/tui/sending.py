"""The part of the browser that sends products to other programs, pools and files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual import work
from textual.app import App

from skypool.errors import SkypoolError
from skypool.tui import deeds
from skypool.tui.screens.dialogs import Ask, Choose
from skypool.tui.text import clean, count_text

if TYPE_CHECKING:
    from skypool.config import Settings
    from skypool.pool.results.hits import Hits
    from skypool.vo import Target

__all__ = ["Sends"]

# Targets whose id needs something behind the colon, and what is asked for.
_ASKED = {
    "pool:": ("Copy {} to the pool", "A name or a path; a pool is made where there is none."),
    "file:": ("Write {} as FITS", "A path; of several products a folder."),
    "text:": ("Write {} as text", "A path; of several products a folder."),
}
_ELSE = {
    "pool:": ("another pool…", "a copy, with all that it refers to"),
    "file:": ("FITS file…", "on this computer"),
    "text:": ("text file…", "on this computer"),
}


class Sends(App[None]):
    """Sending, by what `skypool send` does; a part of `Browser`."""

    given: Settings | None
    job: str

    def chosen(self) -> Hits | None:
        """Return what is acted on."""
        raise NotImplementedError

    def _do(self, job: str, work_: Callable[[], deeds.Deed], *, changes: bool = True) -> None:
        raise NotImplementedError

    def _progress(self, job: str) -> None:
        raise NotImplementedError

    def action_send(self) -> None:
        """Ask where to send the selection, once it is known which programs run."""
        hits = self.chosen()
        if hits is None:
            return
        self.notify("looking for programs…", timeout=2, markup=False)
        self._look_around(hits)

    @work(thread=True, group="targets", exclusive=True)
    def _look_around(self, hits: Hits) -> None:
        try:
            from skypool.vo import Sender
            from skypool.vo.payload import content

            with Sender(hub=False, settings=self.given) as sender:
                targets = sender.targets()
            holds = content(hits[0]) if len(hits) == 1 else ()
        except (SkypoolError, OSError) as error:
            self.call_from_thread(self.notify, str(error), severity="error", markup=False)
            return
        self.call_from_thread(self._offer, hits, targets, holds)

    def _offer(self, hits: Hits, targets: list[Target], holds: tuple[str, ...]) -> None:
        known: dict[str, Target] = {}
        for target in targets:
            name = target.name if target.name not in known else f"{target.name} ({target.id})"
            known[name] = target
        entries = [(name, _about(target, holds)) for name, target in known.items()]
        ids = {target.id for target in targets}
        missing = {key: words for key, words in _ELSE.items() if key not in ids}
        entries += [(name, about) for name, about in missing.values()]
        asked = {name: key for key, (name, _) in missing.items()}

        def take(name: str | None) -> None:
            if name is None:
                return
            target = known.get(name)
            self._to(hits, target.id if target is not None else asked[name], target, holds)

        self.push_screen(Choose(f"Send {_what(hits)} to", entries), take)

    def _to(self, hits: Hits, where: str, target: Target | None, holds: tuple[str, ...]) -> None:
        if where in _ASKED:
            title, note = _ASKED[where]
            self.push_screen(
                Ask(title.format(_what(hits)), "", note),
                lambda text: self._send(hits, where + text.strip(), False) if text else None,
            )
            return
        start = target is not None and target.kind == "program"
        if target is not None and (not _takes(target, holds) or (start and not target.start)):
            self.notify(_about(target, holds), severity="warning", markup=False)
            return
        self._send(hits, where, start)

    def _send(self, hits: Hits, where: str, start: bool) -> None:
        def told(progress: Any) -> None:
            if progress.total_items > 1:
                text = f"sending {progress.items:,} of {progress.total_items:,}"
                self.call_from_thread(self._progress, text)

        self._do(
            "sending",
            lambda: deeds.send(list(hits), where, self.given, start=start, told=told),
            changes=False,
        )


def _takes(target: Target, holds: tuple[str, ...]) -> bool:
    programs = target.kind in ("samp", "program")
    return not programs or not holds or not set(holds).isdisjoint(target.accepts)


def _about(target: Target, holds: tuple[str, ...]) -> str:
    """Return what a target is, or why it does not take what is sent."""
    from skypool.vo.targets import several

    if not _takes(target, holds):
        what = several(target.accepts) or "nothing of this"
        return f"takes {what}, and this is {' and '.join(holds)}"
    if target.kind == "program":
        return "does not run: it is started" if target.start else f"not found; {target.get}"
    return "runs" if target.kind == "samp" else ""


def _what(hits: Hits) -> str:
    return clean(hits[0].name) if len(hits) == 1 else count_text(len(hits), "product")

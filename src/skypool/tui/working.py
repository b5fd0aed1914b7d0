"""The part of the browser that changes pools and writes files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual import work
from textual.app import App

from skypool.errors import SkypoolError
from skypool.tui import deeds
from skypool.tui.finding import Found, Pools
from skypool.tui.question import Question
from skypool.tui.screens.dialogs import Ask, Confirm
from skypool.tui.selection import Selection
from skypool.tui.text import clean, count_text
from skypool.tui.widgets.grid import Grid

if TYPE_CHECKING:
    from skypool.pool.ref import Ref
    from skypool.pool.results.hits import Hits

__all__ = ["Works"]

_UNDONE = 50


class Works(App[None]):
    """Changes, each with its way back; a part of `Browser`."""

    pools: Pools
    selection: Selection
    found: Found | None
    question: Question
    read_only: bool
    code_line: str
    current: Any
    hits_grid: Any
    details: Any
    job: str = ""
    _stopping: bool = False
    _done: list[deeds.Deed]

    # -- selecting

    def action_select(self) -> None:
        """Select the product of the cursor, or take it out; go on to the next."""
        if self.found is not None and len(self.found.hits):
            self.selection.toggle(self.hits_grid.cursor)
            self.hits_grid.action_move(1)
            self._selected()

    def action_select_all(self) -> None:
        """Select all that match; once more, none."""
        if self.found is None:
            return
        total = len(self.found.hits)
        if self.selection.count(total) == total:
            self.selection.clear()
        else:
            self.selection.all()
        self._selected()

    def on_grid_extended(self, event: Grid.Extended) -> None:
        """Select a range."""
        if event.grid is self.hits_grid:
            self.selection.extend(range(event.first, event.last + 1))
            self._selected()

    def _selected(self) -> None:
        self.hits_grid.refresh()
        self.tell()

    def tell(self) -> None:
        """Say what is shown."""
        raise NotImplementedError

    def chosen(self) -> Hits | None:
        """Return the selection, else the product of the cursor; None where there is nothing."""
        if self.found is None or not len(self.found.hits):
            return None
        hits = self.found.hits
        if self.selection.count(len(hits)):
            return self.selection.hits(hits)
        return hits.taken([min(self.hits_grid.cursor, len(hits) - 1)])

    # -- doing

    def _may_change(self) -> bool:
        if self.read_only or self.question.at:
            why = (
                "the browser was started read-only"
                if self.read_only
                else (f"this is the pool as of {self.question.at}; @ leads back to now")
            )
            self.notify(why, severity="warning", markup=False)
            return False
        return True

    def action_tag(self) -> None:
        """Ask for tags."""
        hits = self.chosen()
        if hits is None or not self._may_change():
            return
        note = "Tags, with commas between them; -tag takes one away."
        if len(hits) == 1 and hits[0].tags:
            note += f"\nnow: {clean(', '.join(hits[0].tags))}\n"
        self.push_screen(
            Ask(f"Tag {_what(hits)}", "", note, list(self.pools.tags())),
            lambda text: self._tag(hits, text),
        )

    def _tag(self, hits: Hits, text: str | None) -> None:
        if text and text.strip():
            self._do("tagging", lambda: deeds.tag(list(hits), text, self.pools.of))

    def action_rename(self) -> None:
        """Ask for a name."""
        ref = self.current
        if ref is None or not self._may_change():
            return
        note = "What is named below it is renamed too."
        self.push_screen(
            Ask(f"Rename {clean(ref.name)}", ref.name, note), lambda text: self._rename(ref, text)
        )

    def _rename(self, ref: Ref, text: str | None) -> None:
        if text and text.strip() and text.strip() != ref.name:
            self._do("renaming", lambda: deeds.rename(ref, text, self.pools.of(ref)))

    def action_remove(self) -> None:
        """Ask whether to remove."""
        hits = self.chosen()
        if hits is None or not self._may_change():
            return
        names = [clean(ref.name) for ref in hits[:8]]
        if len(hits) > 8:
            names.append(f"… and {len(hits) - 8:,} more")
        names += ["", "They go from view, with what is named below them.", "u brings them back."]
        self.push_screen(
            Confirm(f"Remove {_what(hits)}?", "\n".join(names)),
            lambda yes: self._remove(hits) if yes else None,
        )

    def _remove(self, hits: Hits) -> None:
        self._do("removing", lambda: deeds.remove(list(hits), self.pools.of))

    def action_export(self) -> None:
        """Ask for a folder."""
        hits = self.chosen()
        if hits is None:
            return
        note = "A folder; it is made where it does not exist. Files come byte for byte as added."
        self.push_screen(
            Ask(f"Export {_what(hits)} into", "", note), lambda text: self._export(hits, text)
        )

    def _export(self, hits: Hits, folder: str | None) -> None:
        if folder and folder.strip():
            total = len(hits)
            self._do(
                "exporting",
                lambda: deeds.export(hits, total, folder, self.pools.of, self._step),
                changes=False,
            )

    def action_save_search(self) -> None:
        """Ask for a name under which the search is kept in the pool."""
        if not self._may_change():
            return
        pool = self.pools.all[0]
        note = "It is kept in the pool, with its order and columns; `skypool find --saved` asks it."
        self.push_screen(
            Ask("Keep this search as", "", note, list(pool.searches())), self._save_search
        )

    def _save_search(self, name: str | None) -> None:
        if not name or not name.strip() or self.found is None:
            return
        columns = [head.key for head in self.found.rows.heads]
        pool, question = self.pools.all[0], self.question
        self._do("keeping", lambda: deeds.save_search(pool, name, question, columns))

    def action_undo(self) -> None:
        """Take back the last change that can be."""
        if not self._may_change():
            return
        deed = next((d for d in reversed(self._deeds()) if d.undo is not None), None)
        if deed is None or deed.undo is None:
            self.notify("there is nothing to undo", markup=False)
            return
        self._deeds().remove(deed)
        undo = deed.undo

        def back() -> deeds.Deed:
            undo()
            return deeds.Deed(f"undone: {deed.text}", "")

        self._do("undoing", back)

    # -- in the background

    def _deeds(self) -> list[deeds.Deed]:
        if "_done" not in self.__dict__:
            self._done = []
        return self._done

    def _do(self, job: str, work_: Callable[[], deeds.Deed], *, changes: bool = True) -> None:
        if self.job:
            self.notify(f"still {self.job}", severity="warning", markup=False)
            return
        self.job, self._stopping = job, False
        self.tell()
        self._work(work_, changes)

    def stop_job(self) -> None:
        """End what goes on, after the product that it is at."""
        self._stopping = True

    async def action_quit(self) -> None:
        """Leave; what goes on ends after the product that it is at."""
        self.stop_job()
        self.exit()

    def _step(self, done: int, total: int) -> bool:
        if total > 1:
            self.call_from_thread(self._progress, f"exporting {done:,} of {total:,}")
        return not self._stopping

    def _progress(self, job: str) -> None:
        self.job = job
        self.tell()

    @work(thread=True, group="do")
    def _work(self, work_: Callable[[], deeds.Deed], changes: bool) -> None:
        deed: deeds.Deed | None = None
        error: SkypoolError | OSError | None = None
        try:
            deed = work_()
        except (SkypoolError, OSError) as caught:
            error = caught
        self.call_from_thread(self._finished, deed, error, changes)

    def _finished(
        self, deed: deeds.Deed | None, error: SkypoolError | OSError | None, changes: bool
    ) -> None:
        self.job = ""
        if deed is None:
            self.notify(str(error), severity="error", timeout=12, markup=False)
        else:
            self.notify(clean(deed.text), markup=False)
            if deed.code:
                self._deeds().append(deed)
                del self._deeds()[:-_UNDONE]
        if changes:
            self.details.again()
            self.ask(self.question, self.current)
        if deed is not None and deed.code:
            self.code_line = deed.code
        self.tell()

    def ask(self, question: Question, keep: Ref | None = None) -> None:
        """Ask a question."""
        raise NotImplementedError

    # -- as code

    def code_entries(self) -> list[tuple[str, str]]:
        """Return the search and what was done, as code with titles."""
        names = list(self.pools.named)
        found = [
            ("Python", self.question.python(names)),
            ("command line", self.question.command(names)),
            ("query", self.question.query),
        ]
        ref = self.current
        if ref is not None:
            found.append(
                ("this product", f"product = pool[{f'{ref.name}@{ref.version}'!r}].product")
            )
            found.append(("its URN", ref.urn))
        found += [(clean(deed.text), deed.code) for deed in reversed(self._deeds())]
        return [(title, code) for title, code in found if code]


def _what(hits: Hits) -> str:
    return clean(hits[0].name) if len(hits) == 1 else count_text(len(hits), "product")

"""The pages of a product's details: each is loaded in the background, when it is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Input, Static, Tree
from textual.widgets.tree import TreeNode

from skypool.errors import SkypoolError
from skypool.model.references import ExternalRef
from skypool.tui import sheets
from skypool.tui.text import clean
from skypool.tui.widgets.grid import Grid, NoRows

if TYPE_CHECKING:
    from skypool.pool.ref import Ref

__all__ = ["AboutPage", "ContentsPage", "HeaderPage", "MetadataPage", "Page", "VersionsPage"]


class Page(Vertical):
    """One page.

    `load` is called in another thread, and gives what `fill` shows.
    """

    title: ClassVar[str] = ""
    DEFAULT_CSS = """
    Page { height: 1fr; width: 1fr; }
    Page Input { border: none; height: 1; background: $boost; padding: 0 1; }
    Page .note { height: auto; color: $text-muted; padding: 0 1; }
    """

    class Went(Message):
        """Another product is to be shown."""

        def __init__(self, ref: Ref) -> None:
            super().__init__()
            self.ref = ref

    class DatasetChosen(Message):
        """A dataset is to be looked at."""

        def __init__(self, path: str) -> None:
            super().__init__()
            self.path = path

    class Filter(Message):
        """A condition is to be added to the query."""

        def __init__(self, query: str) -> None:
            super().__init__()
            self.query = query

    class Column(Message):
        """A key is to become a column of the results."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def load(self, ref: Ref) -> Any:
        """Read what the page shows; in another thread."""
        raise NotImplementedError

    def fill(self, ref: Ref, found: Any) -> None:
        """Show what was read."""
        raise NotImplementedError

    def focus_inside(self) -> None:
        """Give the keyboard to what is in the page."""
        for widget in self.query("*"):
            if widget.focusable and not isinstance(widget, Input):
                widget.focus()
                return


class ContentsPage(Page):
    """Datasets, references and what refers to the product, as a tree that grows as it is opened."""

    title = "Contents"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "tree('cursor_down')", "down", show=False),
        Binding("k", "tree('cursor_up')", "up", show=False),
        Binding("l,right", "open(True)", "open", show=False),
        Binding("h,left", "open(False)", "close", show=False),
    ]
    DEFAULT_CSS = "ContentsPage Tree { height: 1fr; background: $surface; }"

    def compose(self) -> ComposeResult:
        """Make the parts."""
        tree: Tree[Any] = Tree("", id="contents")
        tree.guide_depth = 3
        tree.auto_expand = False
        yield tree

    @property
    def branches(self) -> Tree[Any]:
        """The tree."""
        return self.query_one("#contents", Tree)

    def load(self, ref: Ref) -> Any:
        """Read the product's own level."""
        return (ref.product.datasets, list(ref.refs.items()))

    def fill(self, ref: Ref, found: Any) -> None:
        """Show it."""
        datasets, refs = found
        tree = self.branches
        tree.clear()
        tree.root.set_label(_label("", ref))
        tree.root.data = ("ref", ref)
        _add_datasets(tree.root, datasets)
        _add_refs(tree.root, refs)
        tree.root.add(Text("referenced by", "italic"), data=("parents", ref))
        tree.root.expand()
        tree.cursor_line = 0

    def on_tree_node_expanded(self, event: Tree.NodeExpanded[Any]) -> None:
        """Read what is below a product when it is opened."""
        event.stop()
        node = event.node
        if node.children or node.data is None:
            return
        what, target = node.data
        try:
            if what == "ref":
                _add_datasets(node, target.product.datasets)
                _add_refs(node, list(target.refs.items()))
            elif what == "parents":
                _add_refs(node, [("", parent) for parent in target.parents])
        except SkypoolError as error:
            node.add_leaf(Text(clean(error.message), "red"))
        if not node.children:
            node.add_leaf(Text("nothing", "dim"))

    def on_tree_node_selected(self, event: Tree.NodeSelected[Any]) -> None:
        """Go to a product, or look at a dataset."""
        event.stop()
        what, target = event.node.data or ("", None)
        if target is None:
            return
        if what == "dataset":
            owner, path = target
            if owner == self.branches.root:
                self.post_message(self.DatasetChosen(path))
            elif owner.data is not None:
                self.post_message(self.Went(owner.data[1]))
        elif what == "ref" and event.node is not self.branches.root:
            self.post_message(self.Went(target))
        else:
            event.node.toggle()

    def action_tree(self, action: str) -> None:
        """Move in the tree."""
        getattr(self.branches, f"action_{action}")()

    def action_open(self, wanted: bool) -> None:
        """Open what is below, or close it; from there go to what is above."""
        node = self.branches.cursor_node
        if node is None:
            return
        if wanted:
            node.expand()
        elif node.is_expanded and node.allow_expand:
            node.collapse()
        elif node.parent is not None:
            self.branches.move_cursor(node.parent)


def _label(role: str, ref: Any) -> Text:
    text = Text(no_wrap=True)
    name = sheets.title(ref)
    if role and not name.rpartition("@")[0].endswith(role):
        text.append(f"{clean(role)}: ", "bold")
    text.append(name)
    if isinstance(ref, ExternalRef):
        text.append("  not in the pool", "dim red")
    else:
        text.append(f"  {clean(ref.kind)}", "dim")
    return text


def _add_refs(node: TreeNode[Any], refs: list[tuple[str, Any]]) -> None:
    for role, child in refs:
        if isinstance(child, ExternalRef):
            node.add_leaf(_label(role, child))
        else:
            node.add(_label(role, child), data=("ref", child))


def _add_datasets(node: TreeNode[Any], datasets: Any) -> None:
    for path, dataset in sheets.datasets_of(datasets):
        depth = path.count("/")
        text = Text("  " * depth, no_wrap=True)
        text.append(clean(path.rpartition("/")[2]), "bold")
        text.append(f"  {sheets.dataset_text(dataset)}", "dim")
        node.add_leaf(text, data=("dataset", (node, path)))


class _Listed(Page):
    """A page with a grid and a line that filters it."""

    DEFAULT_CSS = "_Listed Grid { height: 1fr; }"
    hint: ClassVar[str] = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "type", "filter these", show=False),
    ]

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Input(placeholder=f"i  {self.hint}", compact=True)
        yield Grid()

    @property
    def grid(self) -> Grid:
        """The grid."""
        return self.query_one(Grid)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show those that have the words in them."""
        event.stop()
        self.narrow(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go to the rows."""
        event.stop()
        self.grid.focus()

    def narrow(self, text: str) -> None:
        """Show the rows with some words in them."""
        raise NotImplementedError

    def action_type(self) -> None:
        """Go to the line that filters."""
        self.query_one(Input).focus()


def _fits(cells: tuple[str, ...], text: str) -> bool:
    line = " ".join(cells).casefold()
    return all(word in line for word in text.casefold().split())


class MetadataPage(_Listed):
    """Parameters of the product and of its datasets."""

    title = "Metadata"
    hint = "part of a name, value or description    Enter: use as filter    c: use as column"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "use", "use as filter", show=False),
        Binding("c", "column", "use as column", show=False),
    ]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._all: list[sheets.MetaRow] = []
        self._shown: list[sheets.MetaRow] = []

    def load(self, ref: Ref) -> Any:
        """Read the metadata."""
        return sheets.metadata(ref)

    def fill(self, ref: Ref, found: Any) -> None:
        """Show them."""
        self._all = found
        self.narrow(self.query_one(Input).value)

    def narrow(self, text: str) -> None:
        """Show those with some words in them."""
        self._shown = [row for row in self._all if _fits(row.cells, text)]
        rows = [row.cells for row in self._shown]
        titles = ("name", "value", "unit", "description")
        self.grid.show(sheets.ListRows(titles, rows), cursor=self.grid.cursor)

    def _row(self) -> sheets.MetaRow | None:
        return self._shown[self.grid.cursor] if self._shown else None

    def action_use(self) -> None:
        """Search for products that have the same value."""
        row = self._row()
        if row is not None:
            self.post_message(self.Filter(row.query))

    def action_column(self) -> None:
        """Show the value of all results."""
        row = self._row()
        if row is not None:
            self.post_message(self.Column(row.name))


class HeaderPage(_Listed):
    """The headers of a FITS file, card by card."""

    title = "Header"
    hint = "part of a keyword, value or comment    [ ]: other HDUs"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("[", "hdu(-1)", "HDU before", show=False),
        Binding("]", "hdu(1)", "next HDU", show=False),
    ]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._hdus: list[tuple[str, list[tuple[str, str, str]]]] = []
        self._number = 0

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Static("", classes="note", id="hdu")
        yield from super().compose()

    def load(self, ref: Ref) -> Any:
        """Read the headers."""
        return sheets.headers(ref)

    def fill(self, ref: Ref, found: Any) -> None:
        """Show the first, or the one of the same number as before."""
        self._hdus = found
        self._number = min(self._number, max(0, len(found) - 1))
        self.narrow(self.query_one(Input).value)

    def narrow(self, text: str) -> None:
        """Show the cards with some words in them."""
        shown = self.query_one("#hdu", Static)
        if not self._hdus:
            shown.update("no FITS file: what was made in memory has metadata, and no header")
            self.grid.show(NoRows())
            return
        line = Text(no_wrap=True)
        for number, (title, _) in enumerate(self._hdus):
            line.append(f" {title} ", "reverse" if number == self._number else "")
        shown.update(line)
        cards = [card for card in self._hdus[self._number][1] if _fits(card, text)]
        self.grid.show(sheets.ListRows(("keyword", "value", "comment"), cards))

    def action_hdu(self, step: int) -> None:
        """Show another HDU."""
        if self._hdus:
            self._number = (self._number + step) % len(self._hdus)
            self.narrow(self.query_one(Input).value)


class VersionsPage(Page):
    """The versions of a product, and what differs between two of them."""

    title = "Versions"
    DEFAULT_CSS = """
    VersionsPage Grid { height: 40%; min-height: 4; }
    VersionsPage VerticalScroll { height: 1fr; border-top: solid $panel; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go", "open this version", show=False),
        Binding("b", "base", "compare with this one", show=False),
    ]

    class Compare(Message):
        """Two versions are to be compared; the answer comes to `differ`."""

        def __init__(self, page: VersionsPage, a: Ref, b: Ref) -> None:
            super().__init__()
            self.page, self.a, self.b = page, a, b

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._versions: list[Ref] = []
        self._base: Ref | None = None

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Static(
            "only differences    b: compare with this one    Enter: open it", classes="note"
        )
        yield Grid()
        with VerticalScroll():
            yield Static("", id="difference")

    def load(self, ref: Ref) -> Any:
        """Read the versions."""
        return sheets.versions(ref)

    def fill(self, ref: Ref, found: Any) -> None:
        """Show them."""
        self._versions = [version for version, _ in found]
        self._base = None
        titles = ("version", "saved (UTC)", "author", "size", "tags", "message")
        rows = sheets.ListRows(titles, [cells for _, cells in found])
        place = self._versions.index(ref) if ref in self._versions else 0
        self.query_one(Grid).show(rows, cursor=place)

    def on_grid_moved(self, event: Grid.Moved) -> None:
        """Compare the version with the one before it, or with the chosen one."""
        event.stop()
        self.compare()

    def compare(self) -> None:
        """Ask for what differs."""
        place = self.query_one(Grid).cursor
        if not self._versions:
            return
        b = self._versions[place]
        before = self._versions[place + 1] if place + 1 < len(self._versions) else None
        a = self._base or before
        if a is None or a == b:
            self.differ(b, ["the first version" if a is None else "compared with itself"])
            return
        self.post_message(self.Compare(self, a, b))

    def differ(self, b: Ref, lines: list[str]) -> None:
        """Show what differs, if that is still the version on which the cursor is."""
        place = self.query_one(Grid).cursor
        if place >= len(self._versions) or self._versions[place] != b:
            return
        styles = {"+": "green", "-": "red", "~": "yellow"}
        text = Text()
        for line in lines:
            text.append(line + "\n", styles.get(line[:1], "bold" if line is lines[0] else ""))
        self.query_one("#difference", Static).update(text)

    def action_base(self) -> None:
        """Compare others with this version."""
        if self._versions:
            self._base = self._versions[self.query_one(Grid).cursor]
            self.compare()

    def action_go(self) -> None:
        """Show this version in all pages."""
        if self._versions:
            self.post_message(self.Went(self._versions[self.query_one(Grid).cursor]))


class AboutPage(Page):
    """What it is, where it is stored, what refers to it, how it came to be."""

    title = "About"
    DEFAULT_CSS = "AboutPage VerticalScroll { height: 1fr; padding: 0 1; }"

    def compose(self) -> ComposeResult:
        """Make the parts."""
        with VerticalScroll():
            yield Static("", id="sections")

    def load(self, ref: Ref) -> Any:
        """Read it."""
        return sheets.about(ref)

    def fill(self, ref: Ref, found: Any) -> None:
        """Show it."""
        text = Text()
        for title, lines in found:
            text.append(f"{title}\n", "bold")
            for line in lines:
                text.append(f"  {line}\n")
            text.append("\n")
        self.query_one("#sections", Static).update(text)

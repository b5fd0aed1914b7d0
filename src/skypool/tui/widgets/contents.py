"""Datasets and references of a product, as a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from skypool.errors import SkypoolError
from skypool.model.references import ExternalRef
from skypool.tui import sheets
from skypool.tui.text import clean
from skypool.tui.widgets.page import Page

if TYPE_CHECKING:
    from skypool.pool.ref import Ref

__all__ = ["ContentsPage"]


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

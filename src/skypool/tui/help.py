"""All keys, for the help and the documentation."""

from __future__ import annotations

from typing import Final

__all__ = ["KEYS"]

KEYS: Final = (
    (
        "Moving",
        (
            ("j k ↓ ↑", "down, up"),
            ("PgDn PgUp", "a page"),
            ("Home End g G", "first, last"),
            ("h l ← →", "choose a column"),
            ("Tab", "the other parts of the screen"),
            ("Esc", "back; stop what is going on; drop the selection"),
        ),
    ),
    (
        "Searching",
        (
            ("/", "type a query; Tab completes, Enter asks"),
            ("p", "ways in: Observations, Products, Metadata, Free"),
            ("o w", "kept searches: ask one, keep this one"),
            ("f", "numbers at the side: go there, hide them; Enter chooses"),
            ("s", "sort by the chosen column: up, down, not"),
            ("c", "choose columns; < > move the chosen one"),
            ("v", "all versions, or the newest"),
            ("@", "as of a commit or time"),
            ("R", "ask again; shows what is new"),
            ("y", "the same in Python and on the command line, for copying"),
        ),
    ),
    (
        "Looking",
        (
            ("Space", "quick look beside the results"),
            ("Enter", "open; Backspace comes back from where a reference led"),
            ("1 2 3 4 5 6", "Look, Contents, Metadata, Header, Versions, About"),
            ("m M", "colour map"),
            ("S", "stretch"),
            ("[ ]", "plane of a cube; plotted column of a table; HDU of a header"),
            ("n N", "dataset"),
            ("F", "read all pixels of a large image"),
            ("i", "metadata, header: filter the lines"),
            ("Enter c", "metadata: use as filter, use as column"),
            ("b", "versions: compare with this one"),
            ("B", "blink with the version before, or with that one"),
        ),
    ),
    (
        "Doing, with the selection, else with the product of the cursor",
        (
            ("x", "select, or take out"),
            ("Shift+↓ ↑", "select a range"),
            ("Ctrl+a", "select all that match"),
            ("t", "tags: put some, take -some away"),
            ("r", "rename"),
            ("d", "remove (asks); nothing is lost until gc"),
            ("u", "undo the last change"),
            ("e", "export the files into a folder"),
            ("z", "send to DS9, TOPCAT, Aladin, any SAMP program, a pool, a file"),
        ),
    ),
    (
        "Else",
        (
            ("?", "this help"),
            ("Ctrl+p", "commands, colours of the screen"),
            ("q", "quit"),
        ),
    ),
)

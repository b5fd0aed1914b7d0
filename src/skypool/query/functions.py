"""The functions of the language: their parameters and what they need.

This table is the only place that lists them; the parser checks calls against it, the drivers
dispatch on it, and a test compares the documentation with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["CONSTANTS", "FUNCTIONS", "INFIX", "METHODS", "ROW_FUNCTIONS", "Function"]


@dataclass(frozen=True, slots=True)
class Function:
    """A function that queries can call.

    Parameters
    ----------
    name
        As it is written.
    parameters
        Pairs of name and sort. Sorts: ``value``; ``text`` (written out or bound); ``key`` (a
        text, or a bare name that stands for itself); ``condition``; ``dataset``; ``elements``
        (an expression over the elements of a dataset); ``place`` (right ascension, text or bound
        position); ``region``.
    required
        How many of the parameters must be given.
    need
        ``metadata``, ``tree``, ``sky`` or ``data``.
    """

    name: str
    parameters: tuple[tuple[str, str], ...]
    required: int
    need: str

    @property
    def signature(self) -> str:
        """The call as documentation shows it."""
        shown = [
            name if number < self.required else f"[{name}]"
            for number, (name, _) in enumerate(self.parameters)
        ]
        return f"{self.name}({', '.join(shown)})"


def _table(*lines: str) -> dict[str, Function]:
    table = {}
    for line in lines:
        need, name, *parameters = line.split()
        pairs = []
        for parameter in parameters:
            label, _, sort = parameter.rstrip("?").partition(":")
            pairs.append((label, sort or "value"))
        required = sum(not parameter.endswith("?") for parameter in parameters)
        table[name] = Function(name, tuple(pairs), required, need)
    return table


_PLACE = "ra:place dec?"

FUNCTIONS: Final = _table(
    # metadata
    "metadata has key:key",
    "metadata missing key:key",
    "metadata has_dataset name:key",
    "metadata tagged tag:text",
    "metadata mentions word:text",
    "metadata startswith value text",
    "metadata contains value text",
    "metadata like value pattern",
    "metadata lower value",
    "metadata upper value",
    "metadata abs value",
    "metadata sqrt value",
    "metadata exp value",
    "metadata log value",
    "metadata log10 value",
    "metadata floor value",
    "metadata ceil value",
    "metadata round value",
    "metadata hypot x y",
    "metadata isnan value",
    "metadata isfinite value",
    # the tree
    "tree parent condition:condition?",
    "tree ancestor condition:condition?",
    "tree child role:role condition:condition?",
    "tree descendant condition:condition?",
    "tree has_ref role:text",
    "tree refers_to ref:text",
    # the sky
    f"sky covers {_PLACE}",
    f"sky footprint_covers {_PLACE}",
    f"sky within {_PLACE} radius?",
    f"sky overlaps {_PLACE.replace('place', 'region')} radius?",
    "sky in_box ra_min:value dec_min:value ra_max:value dec_max:value",
    f"sky nearest {_PLACE} count?",
    # the data
    *(
        f"data {name} data:elements where:condition?"
        for name in ("max", "min", "mean", "median", "sum", "std", "count", "any", "all")
    ),
    f"data value data:dataset {_PLACE}",
)

CONSTANTS: Final = {
    "date": ("text",),
    "quantity": ("number", "unit"),
    "position": ("ra", "dec"),
    "number": ("text",),
}
"""Functions of literals that the parser answers at once, and what they take."""

INFIX: Final = frozenset({"startswith", "contains", "like"})
"""Functions that may stand between their two arguments."""

METHODS: Final = INFIX | {"lower", "upper"}
"""Functions that may follow their first argument and a dot."""

ROW_FUNCTIONS: Final = METHODS | frozenset(
    {"abs", "sqrt", "exp", "log", "log10", "floor", "ceil", "round"}
    | {"hypot", "isnan", "isfinite"}
)
"""Functions that work on the rows of a table."""

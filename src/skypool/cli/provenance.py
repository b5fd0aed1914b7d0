"""What was done to make a product: tasks, their parameters, the script."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from skypool.cli.text import Table, count_text, value_text

if TYPE_CHECKING:
    from skypool.cli.state import State
    from skypool.model.product import Product
    from skypool.model.provenance import Provenance

__all__ = ["provenance_json", "provenance_lines"]


def provenance_json(product: Product) -> dict[str, Any]:
    """Return history and provenance for programs."""
    found = product.provenance
    return {
        "history": list(product.history),
        "provenance": None if found is None else _json(found),
    }


def _json(found: Provenance) -> dict[str, Any]:
    return {
        "tasks": [
            {
                "number": task.number,
                "name": task.name,
                "time": None if task.time is None else task.time.isoformat(),
                "build": task.build,
                "parameters": [
                    {
                        "name": parameter.name,
                        "type": parameter.type,
                        "value": parameter.value,
                        "default": parameter.default,
                        **{key.lower(): value for key, value in parameter.facts.items()},
                    }
                    for parameter in task.parameters
                ],
            }
            for task in found.tasks
        ],
        "script": list(found.script),
        "output": found.output,
    }


def provenance_lines(product: Product, state: State) -> Iterator[str]:
    """Yield the tasks with their parameters, then the script, for people."""
    found = product.provenance
    if found is None:
        yield from product.history
        return
    yield count_text(len(found.tasks), "task")
    table = Table(["TIME", "TASK", "PARAMETER", "VALUE", "BUILD"], flexible=3, colour=state.colour)
    rows = []
    for task in found.tasks:
        when = "" if task.time is None else value_text(task.time)
        rows.append([when, task.name, "", "", task.build])
        rows += [
            ["", "", parameter.name, parameter.value, ""]
            for parameter in task.parameters
            if not parameter.default
        ]
    yield from table.lines(rows)
    if found.script:
        yield ""
        output = f", gives {found.output}" if found.output else ""
        yield f"script of {count_text(len(found.script), 'line')}{output}"
        yield from found.script

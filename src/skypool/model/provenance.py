"""What was done to make a product, as Herschel's software (HCSS) records it.

A product of HCSS has a dataset `History` with three tables: the tasks that ran, the values of
their parameters, and a script that runs them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from skypool.model.times import format_utc, time_of_fine_time

__all__ = ["Provenance", "Task", "TaskParameter", "provenance_of", "provenance_of_tables"]

_PARAMETER = ("TaskID", "Name", "Type", "Value", "IsDefault")


@dataclass(frozen=True, slots=True)
class TaskParameter:
    """A parameter that a task got.

    Attributes
    ----------
    name, type, value
        As text; the type is `STRING`, `DOUBLE`, `BOOLEAN`, `PRODUCT`, `EMPTY`, ...
    default
        Whether it is what the task takes where nothing is given.
    facts
        What else the record has: `IncTaskId`, `UserInput`, `Class`, `ProductType`, `ProductId`.
    """

    name: str
    type: str = ""
    value: str = ""
    default: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Task:
    """One task that ran.

    Attributes
    ----------
    number
        By which the record links tasks and parameters.
    name
        Of the task.
    time
        When it ran, UTC; None where the record does not say.
    build
        Version of the software.
    parameters
        In the order of the record.
    """

    number: int
    name: str
    time: datetime | None = None
    build: str = ""
    parameters: tuple[TaskParameter, ...] = ()

    def __str__(self) -> str:
        given = ", ".join(
            f"{parameter.name}={parameter.value}"
            for parameter in self.parameters
            if not parameter.default
        )
        when = "" if self.time is None else format_utc(self.time) + " "
        build = f" [{self.build}]" if self.build else ""
        return f"{when}{self.name}({given}){build}"


@dataclass(frozen=True, slots=True)
class Provenance:
    """What was done to make a product.

    Attributes
    ----------
    tasks
        In the order in which they ran.
    script
        Lines that run them again.
    output
        Name of the script's variable that is the product.
    """

    tasks: tuple[Task, ...] = ()
    script: tuple[str, ...] = ()
    output: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """A text for each task, oldest first."""
        return tuple(str(task) for task in self.tasks)


def provenance_of(datasets: Mapping[str, Any]) -> Provenance | None:
    """Return the provenance in the datasets of a product; None where there is none.

    Parameters
    ----------
    datasets
        Of the product.
    """
    history = datasets.get("History")
    if not isinstance(history, Mapping) or "HistoryTasks" not in history:
        return None
    tables: dict[str, Mapping[str, list[Any]]] = {}
    output = ""
    for name, table in history.items():
        if hasattr(table, "colnames"):
            tables[name] = {column: table[column][:].tolist() for column in table.colnames}
            if name == "HistoryScript" and "outvar" in table.meta:
                output = str(table.meta["outvar"].value)
    return provenance_of_tables(tables, output)


def provenance_of_tables(
    tables: Mapping[str, Mapping[str, list[Any]]], output: str = ""
) -> Provenance:
    """Return the provenance in the tables of a dataset `History`.

    Parameters
    ----------
    tables
        `HistoryTasks`, `HistoryParameters`, `HistoryScript`, where they are there: the values
        of their columns by name.
    output
        Name of the script's variable that is the product.
    """
    parameters: dict[Any, list[TaskParameter]] = {}
    for row in _rows(tables.get("HistoryParameters", {})):
        facts = {key: row[key] for key in row if key not in _PARAMETER}
        made = TaskParameter(
            str(row.get("Name", "")),
            str(row.get("Type", "")),
            str(row.get("Value", "")),
            bool(row.get("IsDefault", False)),
            facts,
        )
        parameters.setdefault(str(row.get("TaskID")), []).append(made)
    tasks = [
        Task(
            _number(row.get("ID"), place),
            str(row.get("Name", "")),
            _time(row.get("ExecDate")),
            str(row.get("BuildVersion", "")),
            tuple(parameters.get(str(row.get("ID")), ())),
        )
        for place, row in enumerate(_rows(tables.get("HistoryTasks", {})))
    ]
    script = tables.get("HistoryScript", {}).get("Lines", ())
    return Provenance(tuple(tasks), tuple(str(line) for line in script), output)


def _rows(table: Mapping[str, list[Any]]) -> Iterable[dict[str, Any]]:
    return (dict(zip(table, cells, strict=True)) for cells in zip(*table.values(), strict=True))


def _number(given: Any, place: int) -> int:
    return given if isinstance(given, int) else place


def _time(microseconds: Any) -> datetime | None:
    try:
        return time_of_fine_time(int(microseconds))
    except (OverflowError, TypeError, ValueError):
        return None

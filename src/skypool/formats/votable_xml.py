"""The XML of a VOTable, read as a stream.

Nothing outside the file is ever opened: document types and external streams are
not fetched, and a file that declares entities of its own is refused.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from xml.parsers import expat

from skypool.formats.parsing import NotUnderstood

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource

__all__ = ["Entry", "Node", "RowTaker", "TableNode", "scan_votable"]

_STEP = 1024**2
MAX_DEPTH = 1000
MAX_TEXT = 64 * 1024**2
_TEXT_TAGS = frozenset({"DESCRIPTION", "INFO", "TD"})
_SYSTEMS = frozenset({"COOSYS", "TIMESYS"})


@dataclass(slots=True)
class Entry:
    """An element with attributes: FIELD, PARAM, INFO, COOSYS, TIMESYS.

    Attributes
    ----------
    null
        The `null` of its VALUES.
    """

    tag: str
    attributes: dict[str, str]
    description: str = ""
    null: str | None = None


@dataclass(slots=True)
class Node:
    """VOTABLE, a RESOURCE or a TABLE, with the PARAMs and INFOs that stand directly in it."""

    tag: str
    attributes: dict[str, str]
    parent: Node | None = None
    description: str = ""
    entries: list[Entry] = field(default_factory=list)


@dataclass(slots=True)
class TableNode(Node):
    """A TABLE.

    Attributes
    ----------
    data
        ``TABLEDATA``, ``BINARY``, ``BINARY2``, ``FITS``, ``PARQUET``; empty without data.
    problem
        Why its data are not in this file; None where they are.
    number
        Counted from 0 over the file.
    """

    fields: list[Entry] = field(default_factory=list)
    data: str = ""
    problem: str | None = None
    number: int = 0


class RowTaker(Protocol):
    """Takes the data of one table in order."""

    def row(self, cells: list[str]) -> None:
        """Take a row of TABLEDATA."""
        ...

    def binary(self, data: bytes) -> None:
        """Take the next bytes of a BINARY or BINARY2 stream."""
        ...

    def finish(self) -> None:
        """Take the end of the table."""
        ...


class _Scanner:
    def __init__(self, begin: Callable[[TableNode], RowTaker | None]) -> None:
        self.begin = begin
        self.nodes: list[Node] = []
        self.tables: list[TableNode] = []
        self.path: list[str] = []
        self.open: list[Node] = []
        self.entry: Entry | None = None
        self.text: list[str] | None = None
        self.length = 0
        self.cells: list[str] = []
        self.taker: RowTaker | None = None
        self.stream: _Base64 | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(":")[2]
        if not self.path and tag != "VOTABLE":
            raise NotUnderstood(f"an XML file with the root element {tag!r}, not a VOTable")
        if len(self.path) >= MAX_DEPTH:
            raise NotUnderstood("elements nested too deeply")
        self.path.append(tag)
        if tag in ("VOTABLE", "RESOURCE", "TABLE"):
            self._start_node(tag, attributes)
        elif tag in ("FIELD", "PARAM", "INFO") or tag in _SYSTEMS:
            self._start_entry(tag, attributes)
        elif tag == "VALUES" and self.entry is not None:
            self.entry.null = attributes.get("null", self.entry.null)
        elif tag in ("TABLEDATA", "BINARY", "BINARY2", "FITS", "PARQUET"):
            self._start_data(tag)
        elif tag == "STREAM":
            self._start_stream(attributes)
        elif tag == "TR":
            self.cells = []
        elif tag == "TD" and attributes.get("encoding"):
            raise NotUnderstood("cells of a TABLEDATA with an encoding of their own")
        if tag in _TEXT_TAGS:
            self.text, self.length = [], 0

    def _start_node(self, tag: str, attributes: dict[str, str]) -> None:
        parent = self.open[-1] if self.open else None
        if tag == "TABLE":
            table = TableNode(tag, attributes, parent, number=len(self.tables))
            self.tables.append(table)
            node: Node = table
        else:
            node = Node(tag, attributes, parent)
        self.nodes.append(node)
        self.open.append(node)

    def _start_entry(self, tag: str, attributes: dict[str, str]) -> None:
        self.entry = Entry(tag, attributes)
        node = self.open[-1]
        if tag == "FIELD":
            if isinstance(node, TableNode):
                node.fields.append(self.entry)
        else:
            node.entries.append(self.entry)

    def _start_data(self, tag: str) -> None:
        node = self.open[-1]
        if not isinstance(node, TableNode) or node.data:
            raise NotUnderstood(f"a {tag} element out of its place")
        node.data = tag
        if tag in ("FITS", "PARQUET"):
            node.problem = f"the data are {tag} inside the VOTable"
        else:
            self.taker = self.begin(node)

    def _start_stream(self, attributes: dict[str, str]) -> None:
        node = self.open[-1]
        if not isinstance(node, TableNode) or node.problem:
            return
        if attributes.get("href"):
            # Fetching it could tell others what is read, or read files of this machine.
            node.problem = "the data are outside this file, at " + attributes["href"][:1000]
            self.taker = None
        elif attributes.get("encoding", "base64").lower() != "base64":
            node.problem = f"a stream with the encoding {attributes['encoding'][:100]!r}"
            self.taker = None
        else:
            self.stream = _Base64()

    def characters(self, text: str) -> None:
        if self.text is not None:
            self.length += len(text)
            if self.length > MAX_TEXT:
                raise NotUnderstood("a text of more than 64 MiB")
            self.text.append(text)
        elif self.stream is not None and self.taker is not None:
            self.taker.binary(self.stream.feed(text))

    def end(self, name: str) -> None:
        tag = self.path.pop()
        if tag in _TEXT_TAGS:
            self._end_text(tag, "".join(self.text or ()))
            self.text = None
        elif tag == "TR" and self.taker is not None:
            self.taker.row(self.cells)
        elif tag == "STREAM" and self.stream is not None:
            if self.taker is not None:
                self.taker.binary(self.stream.finish())
            self.stream = None
        elif tag in ("TABLEDATA", "BINARY", "BINARY2"):
            if self.taker is not None:
                self.taker.finish()
            self.taker = None
        elif tag in ("VOTABLE", "RESOURCE", "TABLE"):
            self.open.pop()
        if tag in ("FIELD", "PARAM", "INFO") or tag in _SYSTEMS:
            self.entry = None

    def _end_text(self, tag: str, text: str) -> None:
        if tag == "TD":
            if self.taker is not None:
                self.cells.append(text.strip())  # writers indent (astropy: the same)
            return
        text = " ".join(text.split())
        if self.entry is not None:
            self.entry.description = text
        elif self.open and tag == "DESCRIPTION" and self.path[-1] == self.open[-1].tag:
            self.open[-1].description = text


class _Base64:
    """Decodes base64 that comes in pieces cut anywhere."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, text: str) -> bytes:
        try:
            data = self._rest + text.encode("ascii")
        except UnicodeEncodeError:
            raise NotUnderstood("a base64 stream with other characters") from None
        data = data.translate(None, b" \t\r\n")
        whole = len(data) // 4 * 4
        self._rest = data[whole:]
        try:
            return base64.b64decode(data[:whole], validate=True)
        except binascii.Error as error:
            raise NotUnderstood(f"a base64 stream that is none: {error}") from None

    def finish(self) -> bytes:
        if self._rest:
            raise NotUnderstood("a base64 stream that is cut short")
        return b""


def _refuse_entity(*arguments: Any) -> None:
    raise NotUnderstood("an XML file that declares entities of its own, which are not expanded")


def scan_votable(
    source: ByteSource, begin: Callable[[TableNode], RowTaker | None]
) -> tuple[list[Node], list[TableNode]]:
    """Read a VOTable from start to end, in bounded memory.

    Parameters
    ----------
    source
        The file.
    begin
        Called at the data of each table, when its fields are known; what it gives
        takes the rows, None passes over them.

    Returns
    -------
    nodes : list of Node
        VOTABLE, RESOURCEs and TABLEs in order.
    tables : list of TableNode
        The TABLEs among them.

    Raises
    ------
    NotUnderstood
        If it is not a well-formed VOTable.
    """
    scanner = _Scanner(begin)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.buffer_size = 65536
    parser.StartElementHandler = scanner.start
    parser.EndElementHandler = scanner.end
    parser.CharacterDataHandler = scanner.characters
    parser.EntityDeclHandler = _refuse_entity
    parser.SkippedEntityHandler = _refuse_entity
    try:
        for offset in range(0, source.size, _STEP):
            parser.Parse(source.pread(offset, _STEP), False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise NotUnderstood(f"XML that is not well-formed: {error}") from None
    except (LookupError, ValueError) as error:
        # An encoding that Python does not know, or one of several bytes a character.
        raise NotUnderstood(f"XML in an encoding that is not supported: {error}") from None
    return scanner.nodes, scanner.tables

"""`ls` and `find`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from skypool.cli.binding import bound_values, read_table, value_of
from skypool.cli.pools import found
from skypool.cli.state import State
from skypool.cli.tables import Labels, label, print_columns, print_facets, write_table
from skypool.cli.text import Table, plain, size_text, to_json
from skypool.cli.verb import REF, at_option, verb
from skypool.errors import UsageError
from skypool.pool.advice import advice

if TYPE_CHECKING:
    from skypool.pool.pool import Pool
    from skypool.pool.ref import Ref
    from skypool.pool.results.hits import Hits

__all__ = ["find_verb", "ls_verb"]


@verb(
    "ls",
    examples=[
        ("ls", "everything, by name"),
        ("ls 1342182452/level2", "what is below a name"),
        ("ls -q | head", "names only"),
        ("ls --at 2026-11-01", "as it was at the end of that day"),
    ],
)
@click.argument("prefix", required=False, type=REF)
@click.option("-q", "--quiet", is_flag=True, help="Names only.")
@click.option("-0", "--null", is_flag=True, help="Names only, each ended by a zero byte.")
@at_option
def ls_verb(state: State, prefix: str | None, quiet: bool, null: bool, at: str | None) -> None:
    """List products by name: the latest version of each.

    Elsewhere than on a terminal it prints the columns with tabs and without
    titles: name, version, kind, type, size, tags. With --at it lists versions
    too that were given up since: "(given up)" stands with their tags.
    """
    pool = state.open(at=at)
    _print(state, pool.ls((prefix or "").rstrip("/")), quiet, null)


@verb(
    "find",
    examples=[
        ("find \"instrument == 'SPIRE'\"", "by an attribute or any metadata key"),
        ('find "obsid == 1342182452 and wavelength < 100"', "by several"),
        ("find \"tagged('using cal v1')\" --kind SimpleImage", "images with a tag"),
        ('find "od == 98" -c instrument,band -s -saved', "columns, newest first"),
        ("find --facets instrument,band", "how many of each"),
        ("find 'covers($object)' --object 'M 83'", "images of an object, by its name"),
        ("find 'author == $me' --set 'me=Jo Smith'", "with a value that is not pasted in"),
        ("find 'covers($list)' --table list=my.ecsv", "images of any position of a table"),
        ("find --near my.ecsv --radius '5 arcmin'", "products near any position of a table"),
        ("find \"object == 'M83'\" -p survey -p ./mine", "in several pools at once"),
        ("find \"object == 'M83'\" -q | xargs -n1 skypool path", "real files, for any program"),
    ],
)
@click.argument("query", required=False, nargs=-1)
@click.option("-k", "--kind", metavar="KIND", help="Only this kind, its sub-kinds included.")
@click.option(
    "--object",
    "target",
    metavar="NAME",
    help="Look up an object online (Sesame); $object in the query is its position.",
)
@click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    help="What $NAME in the query stands for; several times: a list.",
)
@click.option(
    "--table",
    "tables",
    metavar="NAME=FILE",
    multiple=True,
    help="$NAME is the positions of a table's rows, or its only column.",
)
@click.option("--near", metavar="FILE", help="Only what has a value at a position of this table.")
@click.option("--radius", metavar="ANGLE", help="With --near: what is that near to one.")
@click.option("-l", "--limit", metavar="N", type=click.IntRange(min=0), help="At most N products.")
@click.option(
    "-s", "--order-by", metavar="KEYS", help="Order, such as `-saved,name`; `-` is descending."
)
@click.option("-c", "--columns", metavar="KEYS", help="Keys to show, with commas between them.")
@click.option("--all-versions", is_flag=True, help="Old versions too.")
@click.option("--all-names", is_flag=True, help="Identical content under each of its names.")
@click.option("--count", is_flag=True, help="Only how many there are.")
@click.option("--facets", metavar="KEYS", help="How many have each value of these keys.")
@click.option(
    "-f",
    "--format",
    "format_",
    type=click.Choice(["table", "csv", "ecsv", "votable", "parquet"]),
    default="table",
    help="What to write.",
)
@click.option("-o", "--output", metavar="FILE", help="Write to a new file.")
@click.option("--saved", metavar="NAME", help="Ask a saved search.")
@click.option("--save", metavar="NAME", help="Save the search under a name.")
@click.option("-q", "--quiet", is_flag=True, help="Names only.")
@click.option("-0", "--null", is_flag=True, help="Names only, each ended by a zero byte.")
@at_option
def find_verb(
    state: State,
    query: tuple[str, ...],
    facets: str | None,
    format_: str,
    output: str | None,
    saved: str | None,
    save: str | None,
    quiet: bool,
    null: bool,
    at: str | None,
    **options: Any,
) -> None:
    """Find products by a query; without one, all.

    QUERY is one text of the query language, the same as in Python. There is no
    limit unless you give one. Elsewhere than on a terminal it prints the columns
    with tabs and without titles: name, version, kind, type, size, tags, or the
    name and those of --columns.
    """
    wanted = _Wanted(options.pop("count"), _keys(facets), format_, output, quiet, null, len(query))
    wanted.check(near=options["near"], save=save)
    options["columns"] = _keys(options["columns"])
    options["values"] = bound_values(
        options.pop("settings"), options.pop("tables"), options.pop("target")
    )
    near = _near(options.pop("near"), options.pop("radius"))
    text = query[0] if query else ""
    labels: Labels = None
    if len(state.pools) > 1:
        _check_together({"several pools": True, "--save": save, "--saved": saved})
        pools, labels, hits = _in_several(state, text, at, options | near)
    else:
        pools = [state.open(write=save is not None, at=at)]
        hits = pools[0].find(text, saved=saved, **options, **near)
    _check_keys(pools, hits.columns)
    if save is not None:
        kept = {key: value for key, value in (options | {"at": at}).items() if value is not None}
        pools[0].save_search(save, text, **kept)
        state.note(f"saved as {save!r}; `skypool find --saved {save!r}` asks it again")
    _show(state, hits, labels, pools, wanted)
    if not (len(hits) or state.json or quiet or null or wanted.number):
        state.note("nothing found")
        for line in advice(text, options["values"], pools) if saved is None else ():
            state.note(line)


def _in_several(
    state: State, text: str, at: str | None, options: dict[str, Any]
) -> tuple[list[Pool], Labels, Hits]:
    """Ask several pools; return them, what they were called, and the answer."""
    from skypool.pool.finding import find_in_pools

    opened = state.open_several(at=at)
    pools = list(opened.values())
    labels = {pool.path: called for called, pool in opened.items()}
    return pools, labels, find_in_pools(text, pools=pools, **options)


class _Wanted(NamedTuple):
    """What to show of what was found."""

    number: bool
    facets: tuple[str, ...]
    format: str
    output: str | None
    quiet: bool
    null: bool
    words: int

    def check(self, *, near: str | None, save: str | None) -> None:
        """Refuse what contradicts itself."""
        if self.words > 1:
            raise UsageError(
                "the query must be one word for the shell",
                hint='put it in double quotes: skypool find "obsid == 1"',
            )
        _check_together(
            {
                "--count": self.number,
                "--facets": self.facets,
                "-q": self.quiet,
                "-0": self.null,
                f"--format {self.format}": self.format != "table",
            }
        )
        _check_together({"--near": near, "--save": save})
        if self.output is not None and self.format == "table":
            raise UsageError("--output goes with --format", hint="--format csv --output FILE")


def _show(state: State, hits: Hits, labels: Labels, pools: list[Pool], wanted: _Wanted) -> None:
    if wanted.number:
        click.echo(to_json({"count": len(hits)}) if state.json else str(len(hits)))
    elif wanted.facets:
        _check_keys(pools, wanted.facets)
        print_facets(state, hits, wanted.facets)
    elif wanted.format != "table":
        write_table(hits, wanted.format, wanted.output, labels)
    elif hits.columns and not (wanted.quiet or wanted.null):
        print_columns(state, hits, labels)
    else:
        _print(state, hits, wanted.quiet, wanted.null, labels)


def _check_together(given: dict[str, Any]) -> None:
    several = [name for name, value in given.items() if value]
    if len(several) > 1:
        raise UsageError(f"{' and '.join(several)} do not go together", hint="choose one")


def _keys(text: str | None) -> tuple[str, ...]:
    """Return the keys of a text such as ``instrument,band``."""
    return tuple(key.strip() for key in (text or "").split(",") if key.strip())


def _check_keys(pools: list[Pool], keys: tuple[str, ...]) -> None:
    views = [pool.view for pool in pools if pool.exists]
    if keys and views:
        from skypool.pool.results.ordering import check_keys

        known = [key for view in views for key in tuple(view.session.catalogue.keys())]
        check_keys(keys, known, "a column")


def _near(path: str | None, radius: str | None) -> dict[str, Any]:
    """Return the places of a table, and how near to them."""
    if path is None and radius is not None:
        raise UsageError("--radius goes with --near", hint="--near FILE --radius '5 arcmin'")
    if path is None:
        return {}
    return {"near": read_table(path), "radius": None if radius is None else value_of(radius)}


def _print(
    state: State, refs: Iterable[Ref], quiet: bool, null: bool, labels: Labels = None
) -> None:
    if state.json:
        for ref in refs:
            pool = {} if labels is None else {"pool": label(labels, ref)}
            click.echo(to_json(pool | found(ref) | ({"purged": True} if ref.purged else {})))
    elif quiet or null:
        for ref in refs:
            words = [ref.name or ref.urn]
            if labels is not None:
                words.insert(0, label(labels, ref))
            if null:
                click.echo("".join(f"{word}\0" for word in words), nl=False)
            else:
                click.echo("\t".join(map(plain, words)))
    else:
        heads = ["NAME", ">VER", "KIND", "TYPE", ">SIZE", "TAGS"]
        if labels is not None:
            heads.insert(0, "POOL")
        table = Table(heads, flexible=len(heads) - 6, middle=True, colour=state.colour, tabs=True)
        for line in table.lines(_cells(refs, table.terminal, labels)):
            click.echo(line)


def _cells(refs: Iterable[Ref], terminal: bool, labels: Labels) -> Iterator[list[str]]:
    for ref in refs:
        first = [] if labels is None else [label(labels, ref)]
        size, code = str(ref.size), ref.type
        if terminal:
            size, code = size_text(ref.size), "" if code == "Unknown" else code
        yield [
            *first,
            ref.name or ref.urn,
            str(ref.version),
            ref.kind,
            code,
            size,
            ", ".join([*ref.tags, "(given up)"] if ref.purged else ref.tags),
        ]

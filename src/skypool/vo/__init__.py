"""Sending products to other programs, and receiving from them, by SAMP.

The interface for programs such as the Product Browser's server::

    @dataclass(frozen=True)
    class Target:
        id: str              # "samp:c3", "program:ds9", "pool:temp1", "file:", "text:"
        name: str            # for people: "SAOImage DS9", "temp1", "FITS file"
        kind: str            # "samp" | "program" | "pool" | "file" | "text"
        accepts: tuple[str, ...]   # of "image", "cube", "table", "spectrum", "context"
        alive: bool          # it answers; a program that does not run is not alive
        start: str           # command that starts it; "" where it runs or is not installed

    @dataclass(frozen=True)
    class Reply:
        ref: str             # name@version of the product
        urn: str
        target: str          # id of the target that it is the answer of
        name: str            # the target's name
        state: str           # "arrived" | "accepted" | "unanswered" | "refused" | "skipped"
        detail: str          # what the program said, or why it was not sent
        mtype: str           # SAMP's name of the message; "" where none was sent
        url: str             # address of the file that was sent
        offers: tuple[str, ...]    # urns that can be sent instead of a context

    class Sender:            # every method may be called by any thread
        def __init__(self, *, name: str = "skypool", hub: bool = True,
                     settings: Settings | None = None) -> None: ...
        def targets(self) -> list[Target]: ...
        def send(self, refs: Ref | Iterable[Ref], target: str,
                 on_progress: OnProgress | None = None, *,
                 dataset: str | None = None, via: str = "auto", force: bool = False,
                 start: bool = False, timeout: float = 10.0) -> list[Reply]: ...
        def close(self) -> None: ...     # also a context manager

Making a `Sender` is cheap and connects to nothing; `targets` and `send` do. With *hub* a hub is
started where none runs. *target* is an id of `targets()`, a program's name (`ds9`, `aladin`,
`topcat`, `vospec`), `all`, or `pool:NAME`, `file:PATH`, `text:PATH`. A file (`file:`, `text:`)
needs its path behind the colon. There is one reply for each product and target, in order; no
reply is an exception. What raises: an unknown target (`NotFound`), a program that does not run
(`NotFound`, with the way to start it), no pyvo (`MissingDependency`).

States: *arrived*, it was checked that the program has it; *accepted*, the program said so;
*unanswered*, sent, but no answer came within the time; *refused*, the program answered with an
error; *skipped*, it was not sent, and `detail` says why.
"""

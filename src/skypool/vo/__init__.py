"""Sending products to other programs, and receiving from them, by SAMP (docs/howto/send.md).

`Sender` is what the Product Browser, the command line and `Ref.send` use; `Receiver` takes what
other programs send into a pool. Making a `Sender` is cheap and connects to nothing; `targets` and
`send` do, and start a hub where none runs, unless told otherwise. Any thread may use one.

>>> with Sender() as sender:
...     for target in sender.targets():
...         print(target.id, target.name, target.accepts, target.alive, target.start)
...     for reply in sender.send([ref], "ds9"):
...         print(reply.ref, reply.state, reply.detail)

No reply is an exception; there is one for each product and program, in order. What raises: an
unknown target or a program that does not run (`NotFound`, with the way to start it), several of
one name (`Ambiguous`), no hub (`Unreachable`), no pyvo (`MissingDependency`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skypool.vo.receiving import Received, Receiver
    from skypool.vo.sending import Sender, default_sender, products_below, send
    from skypool.vo.targets import Reply, Target

__all__ = [
    "Received",
    "Receiver",
    "Reply",
    "Sender",
    "Target",
    "default_sender",
    "products_below",
    "send",
]

# Names are loaded at first use.
_HOMES = {
    "Received": "receiving",
    "Receiver": "receiving",
    "Reply": "targets",
    "Sender": "sending",
    "Target": "targets",
    "default_sender": "sending",
    "products_below": "sending",
    "send": "sending",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'skypool.vo' has no attribute {name!r}")
    return getattr(importlib.import_module(f"skypool.vo.{home}"), name)

"""Messages between the process that has the pool and those that read files for it.

What `multiprocessing.connection` does takes several copies of an answer of half a megabyte, and
Python's lock for each part of it that comes.
"""

from __future__ import annotations

import socket
import struct
from typing import Final, Self

__all__ = ["Channel"]

_LENGTH: Final = struct.Struct("<Q")


class Channel:
    """One end of a pair of sockets.

    Parameters
    ----------
    end
        The socket; it is closed with the channel.
    """

    def __init__(self, end: socket.socket) -> None:
        end.settimeout(None)  # whatever the user's program has set for its own sockets
        self._socket = end

    @classmethod
    def pair(cls) -> tuple[Channel, Channel]:
        """Return the two ends of a new one."""
        here, there = socket.socketpair()
        return cls(here), cls(there)

    def fileno(self) -> int:
        """Return the number of the socket."""
        return self._socket.fileno()

    def send(self, data: bytes) -> None:
        """Send a message.

        Raises
        ------
        OSError
            If the other end is closed.
        """
        self._socket.sendall(_LENGTH.pack(len(data)))
        self._socket.sendall(data)

    def receive(self) -> bytearray:
        """Wait for a message.

        Raises
        ------
        EOFError
            If the other end is closed.
        """
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        return self._exactly(length)

    def _exactly(self, length: int) -> bytearray:
        data = bytearray(length)
        with memoryview(data) as left:
            done = 0
            while done < length:
                found = self._socket.recv_into(left[done:], 0, socket.MSG_WAITALL)
                if not found:
                    raise EOFError
                done += found
        return data

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

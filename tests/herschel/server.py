"""A server on loopback that answers as the Herschel archive does, and one for any files."""

from __future__ import annotations

import contextlib
import http.server
import re
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Behaviour:
    """What the server has and how it answers; tests change it as they go.

    Attributes
    ----------
    files
        Content by path, or by observation, instrument and level.
    cuts
        How many bytes of each of the next replies go out before the connection ends.
    stall
        Where the next reply waits in its middle until this is set.
    """

    stall: threading.Event | None = None

    files: dict[str, bytes] = field(default_factory=dict)
    table: str = ""
    ranges: bool = True
    length: bool = True
    etag: str = ""
    modified: str = ""
    cuts: list[int] = field(default_factory=list)
    status: list[int] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    sent: int = 0
    url: str = ""

    @property
    def data_requests(self) -> list[dict[str, str]]:
        return [headers for path, headers in self.requests if "/tap/" not in path]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    behaviour: Behaviour

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        it = self.behaviour
        it.requests.append((self.path, dict(self.headers)))
        parts = urllib.parse.urlsplit(self.path)
        if it.status and it.status[0] != 200:
            return self._plain(it.status.pop(0), b"no")
        if it.status:
            it.status.pop(0)
        if parts.path.endswith("/tap/sync"):
            (query,) = urllib.parse.parse_qs(parts.query)["QUERY"]
            assert re.fullmatch(r"SELECT \w+ FROM hsa\.v_active_observation WHERE .*", query)
            return self._plain(200, it.table.encode(), "text/csv")
        given = {key: value[0] for key, value in urllib.parse.parse_qs(parts.query).items()}
        if parts.path.endswith("/data"):
            assert given["retrieval_type"] == "OBSERVATION"
            name = f"{given['observation_id']}.tar"
            level = given.get("product_level", "ALL")
            found = it.files.get(f"{given['observation_id']} {given['instrument_name']} {level}")
        else:
            name, found = "", it.files.get(parts.path)
        if found is None:
            return self._plain(200 if name else 404, b"No results found")
        self._file(found, name)
        return None

    def _plain(self, status: int, text: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _file(self, content: bytes, name: str) -> None:
        it = self.behaviour
        if (it.etag and self.headers.get("If-None-Match") == it.etag) or (
            it.modified and self.headers.get("If-Modified-Since") == it.modified
        ):
            self.send_response(304)
            self.end_headers()
            return
        asked = self.headers.get("Range") if it.ranges else None
        condition = self.headers.get("If-Range")
        if condition and condition not in (it.etag, it.modified):
            asked = None
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked else 0
        if asked and start >= len(content):
            self.send_response(416)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if it.ranges:
            self.send_header("Accept-Ranges", "bytes")
        for key, value in (("ETag", it.etag), ("Last-Modified", it.modified)):
            if value:
                self.send_header(key, value)
        if name:
            self.send_header("Content-Disposition", f'attachment; filename="{name}"')
        body = content[start:]
        if it.length:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        cut = it.cuts.pop(0) if it.cuts else -1
        # Counted first: a client that has all of it may look at once.
        it.sent += len(body) if cut < 0 else min(cut, len(body))
        self.wfile.write(body if cut < 0 else body[:cut])
        if it.stall is not None:
            self.wfile.flush()
            it.stall.wait(60)
        self.close_connection = cut >= 0 or not it.length


@contextlib.contextmanager
def serving(behaviour: Behaviour) -> Iterator[Behaviour]:
    """Run the server as long as the block lasts."""
    handler = type("Bound", (Handler,), {"behaviour": behaviour})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    behaviour.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield behaviour
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""A hub on this machine: the few endpoints that a fetch needs, and faults on request."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPO = "paulhoehn/Sen12Landslides"


@dataclass
class Hub:
    """What the server has, what it does wrong, and what it was asked."""

    files: dict[str, bytes]
    cut_after: dict[str, int] = field(default_factory=dict)
    """Bytes of a file's next answer after which the connection is cut, once."""
    replaced: dict[str, bytes] = field(default_factory=dict)
    """Bytes that are sent in place of a file's own."""
    failing: set[str] = field(default_factory=set)
    ranges: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Files asked for, with the range."""
    authorised: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""

    def listing(self) -> dict[str, Any]:
        siblings = []
        for path, content in self.files.items():
            blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
            own: dict[str, Any] = {"rfilename": path, "size": len(content), "blobId": blob}
            if path.endswith((".gz", ".zip")):
                sha256 = hashlib.sha256(content).hexdigest()
                own |= {
                    "blobId": "f" * 40,
                    "lfs": {"sha256": sha256, "size": len(content), "pointerSize": 134},
                }
            siblings.append(own)
        return {"id": REPO, "sha": COMMIT, "siblings": siblings, "private": False, "tags": [], "downloads": 0}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.authorised.append((path, self.headers.get("Authorization")))
        prefix = f"/datasets/{REPO}/resolve/{COMMIT}/"
        if path.startswith(f"/api/datasets/{REPO}"):
            self._answer(200, json.dumps(self.hub.listing()).encode(), {"Content-Type": "application/json"})
        elif path.startswith(prefix) and path.removeprefix(prefix) in self.hub.files:
            self._answer(302, b"", {"Location": f"{self.hub.url}/cdn/{path.removeprefix(prefix)}"})
        elif path.startswith("/cdn/"):
            self._send(path.removeprefix("/cdn/"))
        else:
            self._answer(404, b"", {"X-Error-Code": "RepoNotFound"})

    def _send(self, path: str) -> None:
        wanted = self.headers.get("Range")
        self.hub.asked.append((path, wanted))
        if path in self.hub.failing:
            self._answer(503, b"", {})
            return
        content = self.hub.replaced.get(path, self.hub.files[path])
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.hub.ranges else 0
        status = 206 if wanted and self.hub.ranges else 200
        cut = self.hub.cut_after.pop(path, None)
        self._answer(status, content[start:], {}, cut)

    def _answer(self, status: int, body: bytes, headers: dict[str, str], cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if cut is None else body[:cut])
        if cut is not None:
            self.wfile.flush()
            self.close_connection = True


class Served:
    """A hub that is served while the block lasts."""

    def __init__(self, hub: Hub) -> None:
        handler = type("Handler", (_Handler,), {"hub": hub})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        hub.url = f"http://127.0.0.1:{self._server.server_port}"
        self.hub = hub
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Hub:
        self._thread.start()
        return self.hub

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

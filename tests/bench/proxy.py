"""A door between two servers that notes when each call came and how long its answer took.

Between us and Label Studio it tells our own work from waiting, without a line in the product.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "te", "upgrade"}


@dataclass(frozen=True)
class Call:
    """One call that came through; times are of `time.time`."""

    method: str
    path: str
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long whoever called waited for the server."""
        return self.ended - self.began


class Proxy:
    """Hands on every call to `target`; a context manager.

    Attributes
    ----------
    url : str
        Where it answers.
    calls : list of Call
        What came through, in order of the answers.
    """

    def __init__(self, target: str = "") -> None:
        self.target = target
        self.calls: list[Call] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def since(self, moment: float) -> list[Call]:
        """Return the calls that began after a moment."""
        return sorted(
            (call for call in tuple(self.calls) if call.began >= moment), key=lambda c: c.began
        )

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_any(self) -> None:
                proxy._hand_on(self)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        return Handler

    def _hand_on(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
        parts = urlsplit(self.target)
        assert parts.hostname is not None
        connection = HTTPConnection(parts.hostname, parts.port, timeout=300)
        began = time.time()
        try:
            connection.request(request.command, request.path, body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, HTTPException):
            request.send_error(502)
            return
        finally:
            connection.close()
            self.calls.append(Call(request.command, request.path, began, time.time()))
        request.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

"""Servers of files, well and ill behaved, and a network in which they have names.

A server plays Label Studio or a stranger. `Names` gives them public addresses, as a test cannot
connect to a real one: what is looked up, checked and connected to is what is under test, and only
the last step ends at a local port.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, TypeAlias

import httpcore

from ls_active.media import Media, MediaPolicy
from ls_active.media.network import Network

Answer: TypeAlias = Callable[["Visit"], object]


@dataclass(frozen=True)
class Request:
    """What a server was asked for."""

    path: str
    headers: Mapping[str, str]


class Visit(BaseHTTPRequestHandler):
    """One connection; answers with what its server has for the path."""

    protocol_version = "HTTP/1.1"
    timeout = 2  # For the next request of a caller who keeps the connection.
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        owner = self.server.owner
        headers = {key.lower(): value for key, value in self.headers.items()}
        owner.requests.append(Request(self.path, headers))
        answer = owner.answers.get(self.path.partition("?")[0], status(404))
        with contextlib.suppress(OSError):  # Many a caller hangs up before the end.
            answer(self)

    def head(self, status: int, headers: Mapping[str, object]) -> None:
        """Send the head alone."""
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, str(value))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    owner: MediaServer
    daemon_threads = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: the other side hung up."""


class MediaServer:
    """Answers each path in its own way; a context manager.

    Attributes
    ----------
    answers : dict
        By path, without the query.
    requests : list of Request
        In order of arrival.
    over : threading.Event
        Set at the end; those who hang wait for it.
    """

    def __init__(self, answers: Mapping[str, Answer] | None = None) -> None:
        self.answers = dict(answers or {})
        self.requests: list[Request] = []
        self.over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), Visit)
        self._server.owner = self
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def use_tls(self, context: ssl.SSLContext) -> None:
        """Speak TLS from here on."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    @property
    def paths(self) -> list[str]:
        """Return what was asked for."""
        return [request.path for request in self.requests]


def content(data: bytes, **headers: object) -> Answer:
    """Answer with a file."""

    def answer(visit: Visit) -> None:
        visit.head(200, {"Content-Length": len(data), **headers})
        visit.wfile.write(data)

    return answer


def status(code: int) -> Answer:
    """Answer with a status and few words."""

    def answer(visit: Visit) -> None:
        visit.head(code, {"Content-Length": 3})
        visit.wfile.write(b"no\n")

    return answer


def redirect(target: str, code: int = 303) -> Answer:
    """Send on to another address."""
    return lambda visit: visit.head(code, {"Location": target, "Content-Length": 0})


def raw(*pieces: bytes, pause: float = 0.0) -> Answer:
    """Answer with these very bytes, a pause between any two, and hang up."""

    def answer(visit: Visit) -> None:
        visit.close_connection = True
        for piece in pieces:
            visit.wfile.write(piece)
            if visit.server.owner.over.wait(pause):
                return

    return answer


def hang(visit: Visit) -> None:
    """Never answer."""
    visit.server.owner.over.wait()
    visit.close_connection = True


def endless(visit: Visit) -> None:
    """Send a file that does not say how long it is, and never ends."""
    visit.close_connection = True
    visit.head(200, {"Connection": "close"})
    while not visit.server.owner.over.is_set():
        visit.wfile.write(bytes(1 << 16))


class Names(Network):
    """A network in which names lead to addresses, and addresses to local ports.

    Attributes
    ----------
    names : dict
        Addresses of a name; each look-up takes the first list, until one is left.
    ports : dict
        Local port behind an address; others are not diverted.
    looked_up, connected : list
        Names and addresses, in order.
    """

    def __init__(
        self, names: Mapping[str, Sequence[Sequence[str]]], ports: Mapping[str, int]
    ) -> None:
        self.names = {name: list(lists) for name, lists in names.items()}
        self.ports = dict(ports)
        self.looked_up: list[str] = []
        self.connected: list[str] = []

    def resolve(self, host: str, port: int) -> Sequence[str]:
        self.looked_up.append(host)
        if host not in self.names:
            return super().resolve(host, port)
        lists = self.names[host]
        return lists.pop(0) if len(lists) > 1 else lists[0]

    def connect(self, address: str, port: int, seconds: float) -> httpcore.NetworkStream:
        self.connected.append(address)
        if address in self.ports:
            return super().connect("127.0.0.1", self.ports[address], seconds)
        return super().connect(address, port, seconds)


def moved(target: str) -> bytes:
    """Return the bytes of a redirect."""
    head = f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n"
    return f"{head}Connection: close\r\n\r\n".encode("utf-8", "replace")


class Scripted(Network):
    """A network without sockets: every name exists.

    Attributes
    ----------
    answers : list of bytes
        To the next requests, whatever they are; after these a file of three bytes.
    sent : list of (str, int, bytes)
        Every request, with the address and port it went to.
    """

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.sent: list[tuple[str, int, bytes]] = []

    def resolve(self, host: str, port: int) -> Sequence[str]:
        return [host if host.replace(".", "").isdigit() else "93.184.216.34"]

    def connect(self, address: str, port: int, seconds: float) -> httpcore.NetworkStream:
        return _Script(self, address, port)


class _Script(httpcore.NetworkStream):
    """Takes one request and answers it."""

    FILE = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\ncat"

    def __init__(self, network: Scripted, address: str, port: int) -> None:
        self._network = network
        self._place = (address, port)
        self._request = b""
        self._answer: bytes | None = None

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._answer is None:
            self._network.sent.append((*self._place, self._request))
            answers = self._network.answers
            self._answer = answers.pop(0) if answers else self.FILE
        piece, self._answer = self._answer[:max_bytes], self._answer[max_bytes:]
        return piece

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._request += buffer

    def close(self) -> None:
        """Nothing to close."""

    def start_tls(self, *_: Any, **__: Any) -> httpcore.NetworkStream:
        return self


class SlowNames(Network):
    """A network whose look-ups take until an event."""

    def __init__(self, over: threading.Event) -> None:
        self._over = over

    def resolve(self, host: str, port: int) -> Sequence[str]:
        self._over.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")


class Town:
    """Label Studio, and two strangers with public addresses: images.example and bucket.example."""

    KEY = {"Authorization": "Token 0123456789abcdef"}  # noqa: RUF012 - never changed.
    IMAGES = "93.184.216.34"
    BUCKET = "8.8.4.4"

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.studio = stack.enter_context(MediaServer())
        self.images = stack.enter_context(MediaServer({"/cat.png": content(b"cat")}))
        self.bucket = stack.enter_context(MediaServer({"/cat.png": content(b"stored cat")}))
        self.network = Names(
            {
                "images.example": [[self.IMAGES]],
                "images.example.": [[self.IMAGES]],
                "bucket.example": [[self.BUCKET]],
            },
            {self.IMAGES: self.images.port, self.BUCKET: self.bucket.port},
        )
        self._stack = stack

    def media(self, base: str = "", network: Network | None = None, **policy: Any) -> Media:
        """Return what reads files there; closed with the town."""
        url = self.studio.url + base
        made = Media(url, lambda: self.KEY, MediaPolicy(**policy), None, network or self.network)
        return self._stack.enter_context(made)

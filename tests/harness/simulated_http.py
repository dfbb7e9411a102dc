"""The Label Studio in memory behind a real socket: for processes of their own, and for bad wires.

What the real client sees of a failing Label Studio: refusals, delays, answers cut in half, answers
that are lost after the deed is done.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ls_active.errors import LabelStudioRejected, LabelStudioUnreachable, NotFoundInLabelStudio
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_project import CREATED, IDS

KEY = "a-legacy-token-of-forty-characters-00001"


@dataclass
class Trouble:
    """What happens to calls, instead of the answer or on top of it.

    Attributes
    ----------
    where : str
        A pattern for ``"METHOD /path"``.
    after : int
        How many such calls pass before.
    status : int
        Answered without doing anything; 0: the call is done first.
    body : bytes
        Of that answer.
    delay : float
        Seconds before anything happens.
    until : threading.Event, optional
        What it waits for as well.
    cut : bool
        The call is done, and half of its answer sent.
    lost : bool
        The call is done, and the connection closed without an answer.
    times : int
        How many calls meet it.
    """

    where: str = ""
    after: int = 0
    status: int = 0
    body: bytes = b'{"detail": "no"}'
    delay: float = 0.0
    until: threading.Event | None = None
    cut: bool = False
    lost: bool = False
    times: int = 10**9


@dataclass
class Wire:
    """One simulated Label Studio on a socket.

    Attributes
    ----------
    studio : SimulatedLabelStudio
    beside : list of SimulatedLabelStudio
        Further projects, each with a number of its own.
    url : str
    keys : set of str
        The tokens it takes.
    troubles : list of Trouble
        The first that matches a call meets it.
    calls : Counter
        ``"METHOD /path"`` of every call.
    busy : int
        How many calls are being answered.
    lock : threading.RLock
        Hold it to look at or change the studio while calls may come.
    """

    studio: SimulatedLabelStudio
    beside: list[SimulatedLabelStudio] = field(default_factory=list)
    url: str = ""
    keys: set[str] = field(default_factory=lambda: {KEY})
    troubles: list[Trouble] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    busy: int = 0
    lock: Any = field(default_factory=threading.RLock)

    def meets(self, call: str) -> Trouble | None:
        """Count a call and return what happens to it."""
        with self.lock:
            self.calls[call] += 1
            found = next((t for t in self.troubles if t.times and re.search(t.where, call)), None)
            if found is not None and found.after:
                found.after -= 1
                return None
            if found is not None:
                found.times -= 1
            return found

    def answer(
        self, studio: SimulatedLabelStudio, method: str, target: str, headers: Any, body: bytes
    ) -> tuple[int, Any]:
        """Do what a call asks of a studio; return status and JSON."""
        if headers.get("Authorization", "") not in {f"Token {key}" for key in self.keys}:
            return 401, {"detail": "Invalid token."}
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        for pattern, call in _ROUTES:
            match = re.fullmatch(pattern, f"{method} {parts.path.rstrip('/')}")
            if match:
                numbers = [int(number) for number in match.groups()]
                said = json.loads(body or b"null")
                asked = _project_of(parts.path, numbers, query, said)
                found = next((each for each in self.beside if each.number == asked), studio)
                return self._done(partial(call, found, numbers, query, said))
        return 404, {"detail": f"no such page: {method} {target}"}

    def _done(self, call: Callable[[], Any]) -> tuple[int, Any]:
        with self.lock:
            try:
                return 200, call()
            except NotFoundInLabelStudio as error:
                return 404, {"detail": str(error)}
            except LabelStudioUnreachable as error:
                return 500, {"detail": str(error)}
            except LabelStudioRejected as error:
                return 400, {"detail": "Validation error", "validation_errors": str(error)}


def _project_of(path: str, numbers: list[int], query: dict[str, str], said: Any) -> int:
    """Return the number of the project that a call is about; 0 for none."""
    if numbers:
        return numbers[0] if path.startswith("/api/projects/") else (numbers[0] - 1) // IDS + 1
    return int(query.get("project") or (said or {}).get("project") or 0)


_Call = Callable[[SimulatedLabelStudio, list[int], dict[str, str], Any], Any]


def _project(studio: SimulatedLabelStudio, numbers: list[int], _query: Any, body: Any) -> Any:
    number = numbers[0]
    found = studio.update_project(number, **body) if body else studio.project(number)
    return {**asdict(found), "created_at": CREATED.isoformat()}


def _tasks(studio: SimulatedLabelStudio, _: list[int], query: dict[str, str], __: Any) -> Any:
    pages = studio.tasks(
        int(query["project"]),
        filters=json.loads(query["query"])["filters"]["items"],
        include=query["include"].split(","),
        fields=query.get("fields", "task_only"),
        page_size=int(query["page_size"]),
    )
    return {
        "tasks": next(pages, []), "total": pages.total,
        "total_annotations": 0, "total_predictions": 0,
    }  # fmt: skip


def _versions(studio: SimulatedLabelStudio, numbers: list[int], _query: Any, body: Any) -> Any:
    if body is None:
        return studio.prediction_counts(numbers[0])
    gone = studio.delete_model_version(numbers[0], body["model_version"])
    return {"deleted_predictions": gone}


def _new_webhook(studio: SimulatedLabelStudio, _: list[int], __: Any, body: Any) -> Any:
    return studio.create_webhook(body["project"], body["url"], headers=body["headers"])


_ROUTES: tuple[tuple[str, _Call], ...] = (
    ("GET /api/version", lambda *_: {"release": "1.23.2"}),
    ("GET /api/current-user/whoami", lambda *_: {"id": 1, "email": "a@example.com"}),
    (r"(?:GET|PATCH) /api/projects/(\d+)", _project),
    ("GET /api/tasks", _tasks),
    (
        r"POST /api/projects/(\d+)/import/predictions",
        lambda studio, n, _, body: {"created": studio.import_predictions(n[0], body)},
    ),
    (r"(?:GET|DELETE) /api/projects/(\d+)/model-versions", _versions),
    ("GET /api/webhooks", lambda studio, _, query, __: studio.webhooks(int(query["project"]))),
    ("POST /api/webhooks", _new_webhook),
    (
        r"PATCH /api/webhooks/(\d+)",
        lambda studio, n, _, body: studio.update_webhook(n[0], **body),
    ),
    (r"DELETE /api/webhooks/(\d+)", lambda studio, n, *_: studio.delete_webhook(n[0])),
    ("GET /api/ml", lambda studio, _, query, __: studio.ml_backends(int(query["project"]))),
    (r"DELETE /api/ml/(\d+)", lambda studio, n, *_: studio.delete_ml_backend(n[0])),
)


@contextmanager
def on_a_socket(studio: SimulatedLabelStudio) -> Iterator[Wire]:
    """Serve a simulated Label Studio on this machine."""
    wire = Wire(studio)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(wire))
    server.daemon_threads = True
    wire.url = f"http://127.0.0.1:{server.server_address[1]}"
    studio.url = wire.url
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        server.shutdown()
        server.server_close()


def _handler(wire: Wire) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # In one piece: two would wait for each other.

        def _any(self) -> None:
            with wire.lock:
                wire.busy += 1
            try:
                self._answer()
            finally:
                with wire.lock:
                    wire.busy -= 1

        def _answer(self) -> None:
            # One that is changed while a call is held up must not get that call.
            studio = wire.studio
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            trouble = wire.meets(f"{self.command} {urlsplit(self.path).path}") or Trouble()
            time.sleep(trouble.delay)
            if trouble.until:
                trouble.until.wait(60)
            if trouble.status:
                self._send(trouble.status, trouble.body)
                return
            status, said = wire.answer(studio, self.command, self.path, self.headers, body)
            if trouble.lost:
                self.close_connection = True
                return
            self._send(status, json.dumps(said).encode(), cut=trouble.cut)

        do_GET = do_POST = do_PATCH = do_DELETE = _any

        def _send(self, status: int, body: bytes, *, cut: bool = False) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if cut else body)
            self.close_connection = self.close_connection or cut

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(wire.studio.now.timestamp())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            pass

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

    return Handler

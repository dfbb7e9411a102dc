"""A service and a desk that answer at once, for tests of the HTTP surfaces around them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from ls_active.engine.figures import QueueFigures
from ls_active.errors import QueueDown
from ls_active.labeling import label_config
from ls_active.records.project import ProjectStatus
from ls_active.schemas import (
    Prediction,
    PredictReply,
    PredictRequest,
    SetupRequest,
    WebhookEvent,
)
from ls_active.settings import Settings

UID = "1.1795351743"
CONFIG = (
    '<View><Text name="t" value="$text"/><Choices name="c" toName="t" choice="single">'
    '<Choice value="A"/><Choice value="B"/></Choices></View>'
)
AUDIT = {"labels": 30, "skipped": 0, "needed": 30, "figures": {"value": 0.9}}
EVENT = {
    "action": "ANNOTATION_CREATED",
    "project": {"id": 1, "created_at": "2026-11-22T12:49:03.222072Z", "token": "invite-me"},
}


def make_settings(folder: Path, **values: Any) -> Settings:
    """Settings that read neither the environment's file nor write outside `folder`."""
    return Settings(_env_file=None, data_dir=str(folder), **values)


@contextmanager
def serve(app: FastAPI) -> Iterator[httpx.Client]:
    """A client of the app behind a real server."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.005)
    port = listening.getsockname()[1]
    try:
        # It speaks no TLS: reading the authorities' certificates would take longer than most tests.
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, verify=False) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


class FakeService:
    """Says "A" to every text; some texts are orders."""

    def __init__(self, _: Settings | None = None) -> None:
        self.known = [UID]

    def predict(self, request: PredictRequest) -> PredictReply:
        if request.label_config:
            label_config.parse(request.label_config)
        results = [_prediction(task["data"].get("text")) for task in request.tasks]
        return PredictReply(results=results, model_version="al-7")

    def model_version(self, uid: str | None) -> str:
        return "al-7" if uid in self.known else "al-0"

    def versions(self, uid: str | None) -> list[str]:
        return ["al-6", "al-7"] if uid in self.known else []

    def projects(self) -> list[str]:
        return self.known

    def status(self, uid: str) -> ProjectStatus:
        return ProjectStatus(
            uid,
            title="News",
            state="ready",
            labels=40,
            tasks=2000,
            version=7,
            publication="al-7.3",
            timings={"fit": 0.25},
            updated_at=1795351800.0,
            heads=({"control": "c", "tag": "Choices", "useful": True, "audit": AUDIT},),
        )


def _prediction(text: object) -> Prediction:
    if text == "boom":
        raise RuntimeError("the password is hunter2")
    if not isinstance(text, str):
        return Prediction(result=[], score=0.0, model_version="al-7")
    region = {
        "from_name": "c",
        "to_name": "t",
        "type": "choices",
        "value": {"choices": ["A"]},
        "score": 0.75,
    }
    return Prediction(result=[region], score=0.75, model_version="al-7")


class FakeDesk:
    """Remembers what it was asked. `down` is a Redis that does not answer."""

    def __init__(self) -> None:
        self.down = False
        self.setups: list[tuple[SetupRequest, str]] = []
        self.hints: list[str] = []
        self.trainings: list[str] = []

    def setup(self, request: SetupRequest, own_url: str) -> str:
        self._redis()
        label_config.parse(request.label_config)
        self.setups.append((request, own_url))
        return "al-7"

    def hint(self, event: WebhookEvent) -> bool:
        self._redis()
        self.hints.append(event.action)
        return True

    def start_training(self, uid: str) -> str:
        self._redis()
        self.trainings.append(uid)
        return "job-1"

    def webhook_secret(self, uid: str) -> str:
        return f"secret-of-{uid}"

    def knows(self, uid: str) -> bool:
        return uid == UID

    def figures(self) -> QueueFigures:
        self._redis()
        return QueueFigures(queued=3, running=1, failed=0, workers=2)

    def _redis(self) -> None:
        if self.down:
            raise QueueDown("Redis does not answer: ConnectionError")

"""How fast the web side answers while predictions run, and when Redis is down."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ls_active.engine.valkey import EmbeddedValkey
from tests.bench.load import Seen, drive
from tests.bench.predict import LABELS, predict_body
from tests.bench.report import Report, Table, judged
from tests.bench.servers import UID, Server, fit_version, ours
from tests.harness import data
from tests.harness.stack import ROOT

BATCHES = 50
BATCH = 250


def run(folder: Path, seconds: float, report: Report) -> None:
    """Measure /health under load, and /webhook with and without Redis."""
    valkey = EmbeddedValkey(folder / "valkey")
    fit_version(folder / "data", data.short_texts(LABELS))
    table = Table("/health and /webhook", ("what", "calls", "p50 ms", "p99 ms", "max ms", "aim"))
    server_process = valkey.start()
    try:
        with ours(folder / "data", valkey.url, processes=2) as server:
            with _predicting(server, seconds):
                health = drive(
                    f"{server.url}/health", [None], clients=1, seconds=seconds, pause=0.02
                )
            aim = judged(health.percentile(99) * 1000, 200, " ms")
            _row(table, f"/health with {BATCHES} batches of {BATCH} in flight", health, aim)
            up = _webhooks(server, seconds / 2)
            _row(table, "/webhook", up, judged(up.percentile(50) * 1000, 50, " ms"))
            os.kill(server_process.pid, signal.SIGSTOP)
            hung = _webhooks(server, seconds / 2, clients=4)
            os.kill(server_process.pid, signal.SIGCONT)
            _row(table, "/webhook, Redis hangs", hung, judged(max(hung.latencies), 1, " s"))
            valkey.stop()
            down = _webhooks(server, seconds / 2, clients=4)
            _row(table, "/webhook, Redis is gone", down, judged(max(down.latencies), 1, " s"))
    finally:
        valkey.stop()
    report.add("web", table)


def _row(table: Table, what: str, seen: Seen, aim: str) -> None:
    figures = (seen.percentile(50), seen.percentile(99), max(seen.latencies))
    calls = len(seen.latencies)
    table.row(what, calls, *(round(figure * 1000, 1) for figure in figures), aim)


@contextmanager
def _predicting(server: Server, seconds: float) -> Iterator[None]:
    """Keep so many batches in flight meanwhile."""
    texts = [text for text, _ in data.short_texts(BATCH * 8, seed=1)]
    bodies = [predict_body(texts[n : n + BATCH]) for n in range(0, len(texts), BATCH)]
    url = f"{server.url}/predict"

    def load() -> None:
        drive(url, bodies, clients=BATCHES, seconds=seconds + 1)

    drive(url, bodies, clients=2, seconds=1)  # both processes have imported what they need
    thread = threading.Thread(target=load)
    thread.start()
    yield
    thread.join()


def _webhooks(server: Server, seconds: float, clients: int = 1) -> Seen:
    recorded = json.loads((ROOT / "tests/recorded/webhook_ANNOTATION_CREATED.json").read_text())
    project, created = UID.split(".")
    body = recorded["request"]["body"]
    body["project"] |= {"id": int(project), "created_at": _iso(int(created))}
    url = f"{server.url}/webhook"
    return drive(url, [json.dumps(body).encode()], clients=clients, seconds=seconds, pause=0.02)


def _iso(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()

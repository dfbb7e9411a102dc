"""`/predict`: ours beside the server of label-studio-ml with the same pipeline."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from operator import add
from pathlib import Path
from typing import Any

import numpy as np

from ls_active.engine.valkey import EmbeddedValkey
from tests.bench.load import Client, Seen, drive
from tests.bench.machine import PeakMemory
from tests.bench.report import Report, Table
from tests.bench.servers import UID, Server, fit_version, ours, theirs
from tests.harness import data
from tests.harness.stack import ROOT

SIZES = (1, 100, 250)
LABELS = 300
CLIENTS = 4
TURNS = 2
SHORT_TEXTS = 20_000
"""Many more than a server answers in one measurement: no text comes twice in a row of calls."""


@dataclass(frozen=True)
class Plan:
    """How long to measure each cell, in seconds, and on which texts."""

    seconds: float
    kinds: tuple[str, ...]


def run(folder: Path, plan: Plan, report: Report) -> None:
    """Measure every server at every size, one after the other within each size."""
    with ExitStack() as stack:
        redis_url = stack.enter_context(EmbeddedValkey(folder / "valkey")).url
        data_dir = folder / "data"
        fit_version(data_dir, data.short_texts(LABELS))
        servers = [
            stack.enter_context(ours(data_dir, redis_url, processes=1)),
            stack.enter_context(ours(data_dir, redis_url, processes=2)),
            stack.enter_context(theirs(folder / "sdk", labels=LABELS)),
        ]
        peaks = [stack.enter_context(PeakMemory(server.pid)) for server in servers]
        table = Table(
            "/predict: the same texts, features and classifier behind two servers",
            ("texts", "tasks a call", "server", "texts/s", "p50 ms", "p99 ms", "same answers"),
            notes=(
                f"texts/s with {CLIENTS} clients, p50 and p99 with one",
                "same answers: as the first server gives; the solvers and temperatures differ",
            ),
        )
        for kind in plan.kinds:
            for size in SIZES:
                _measure(table, servers, kind, size, plan.seconds)
        report.add("predict", table)
        memory = Table(
            "Peak memory of /predict",
            ("server", "process", "MiB"),
            notes=("that of label-studio-ml has fitted the model, too; we have a worker for it",),
        )
        for server, peak in zip(servers, peaks, strict=True):
            for role, mib in sorted(peak.mib.items()):
                memory.row(server.name, role, round(mib))
        report.add("predict_memory", memory)


def _measure(table: Table, servers: Sequence[Server], kind: str, size: int, seconds: float) -> None:
    bodies = list(islice(_bodies(_texts(kind), size), 400))
    answers = [_labels(server, bodies[:4]) for server in servers]
    # By turns: whatever else the machine does meanwhile meets them all.
    turns = [[_turn(server, bodies, seconds / TURNS) for server in servers] for _ in range(TURNS)]
    for server, given, parts in zip(servers, answers, zip(*turns, strict=True), strict=True):
        many, one = (reduce(add, clients) for clients in zip(*parts, strict=True))
        same = float(np.mean([a == b for a, b in zip(given, answers[0], strict=True)]))
        table.row(kind, size, server.name, *_figures(many, one, size), f"{same:.0%}")


def _turn(server: Server, bodies: Sequence[bytes], seconds: float) -> tuple[Seen, Seen]:
    """Measure with many clients and with one."""
    url = f"{server.url}/predict"
    many = drive(url, bodies, clients=CLIENTS, seconds=seconds)
    return many, drive(url, bodies, clients=1, seconds=seconds)


def _figures(many: Seen, one: Seen, size: int) -> tuple[float, float, float]:
    p50, p99 = (round(one.percentile(share) * 1000, 1) for share in (50, 99))
    return round(many.calls_per_second * size), p50, p99


def _texts(kind: str) -> list[str]:
    found = data.short_texts(SHORT_TEXTS, seed=1) if kind == "short" else data.bbc()
    return [text for text, _ in found]


def _bodies(texts: Sequence[str], size: int) -> Iterator[bytes]:
    for start in range(0, len(texts) - size + 1, size):
        yield predict_body(texts[start : start + size])


def predict_body(texts: Sequence[str]) -> bytes:
    """Return a request as Label Studio 1.23.2 sends it, with other texts."""
    recorded = json.loads((ROOT / "tests/recorded/backend_predict_batch.json").read_text())
    body: dict[str, Any] = recorded["request"]["body"]
    task: Mapping[str, Any] = body["tasks"][0]
    tasks = [{**task, "id": n, "data": {"text": text}} for n, text in enumerate(texts, 1)]
    return json.dumps(
        {**body, "project": UID, "label_config": data.LABEL_CONFIG, "tasks": tasks}
    ).encode()


def _labels(server: Server, bodies: Sequence[bytes]) -> list[str]:
    with Client(f"{server.url}/predict") as client:
        replies = [client.call(body) for body in bodies]
    assert all(status == 200 for status, _ in replies), (server.name, replies[0][1][:300])
    results = [result for _, content in replies for result in json.loads(content)["results"]]
    return [result["result"][0]["value"]["choices"][0] for result in results]

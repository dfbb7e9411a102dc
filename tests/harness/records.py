"""What jobs would have written of a project of any shape, to be shown at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from active_learning.figures import class_figures, number_figures, sequence_figures, set_figures
from active_learning.outcomes import Figures
from ls_active.records.ledger import JobLine, Ledger, VersionLine
from ls_active.records.project import Connection, ProjectStatus, State
from ls_active.records.store import Store

DAY = 86_400.0


@dataclass(frozen=True)
class Shape:
    """How large a project is, and what it asks.

    `kind` is single, multiple, number or sequence.
    """

    title: str = "News by topic"
    kind: str = "single"
    classes: Sequence[str] = ("business", "politics", "sports")
    versions: int = 12
    labels: int = 400
    tasks: int = 2_000
    audit: int = 150
    annotators: Sequence[str] = ("Ada", "Grace")


def write(store: Store, uid: str, shape: Shape) -> ProjectStatus:
    """Write connection, status, ledger, history and the last publication; return the status."""
    now = time.time()
    Connection(uid, adopted=True, webhook=True).save(store)
    chosen, honest = _record(shape, "chosen"), _record(shape, "audit")
    head = {
        "control": "topic", "tag": "Choices", "labels": shape.labels, "useful": True,
        "chosen": chosen,
        "audit": {"labels": shape.audit, "skipped": 0, "needed": 30, "figures": honest},
    }  # fmt: skip
    labels = np.linspace(10, shape.labels, shape.versions).astype(int).tolist()
    lines = tuple(_line(number, n, head, now) for number, n in enumerate(labels, 1))
    jobs = tuple(_job(line, now) for line in lines[::-1][:50])
    Ledger(lines, jobs).save(store, uid)
    snapshots = [
        {"labels": n, "uncertainty": 0.8 / (1 + n / 100), "agreement": 1 - 20 / (n + 20)}
        for n in labels
    ]
    points = [{"version": k, "at": now, "heads": [each]} for k, each in enumerate(snapshots, 1)]
    store.write(uid, "history", {"signature": "x", "points": points})
    _publish(store, uid, shape, now)
    status = ProjectStatus(
        uid, title=shape.title, tasks=shape.tasks, labels=shape.labels, version=shape.versions,
        publication=f"al-{shape.versions}.1", askable=shape.tasks - shape.labels, heads=(head,),
        strategy="auto: margin, now that a model can tell classes apart",
        pace=tuple((name, 40 + 7 * k, 31.5 + k) for k, name in enumerate(shape.annotators)),
        advice={"verdict": "go_on", "sentence": "go on, labels still teach the model"},
    )  # fmt: skip
    status = status.now(State.READY, f"{shape.tasks - shape.labels} tasks wait for a label")
    status.save(store)
    return status


def _record(shape: Shape, basis: str) -> dict[str, Any]:
    """Return figures as a version's records have them."""
    n = shape.audit if basis == "audit" else shape.labels
    found = _figures(shape, basis, n, np.random.default_rng(n))
    return {**vars(found), "of_task": ()}


def _figures(shape: Shape, basis: str, n: int, rng: np.random.Generator) -> Figures:
    names, k = tuple(shape.classes), len(shape.classes)
    if shape.kind == "number":
        y = rng.normal(size=n)
        return number_figures(basis, y, y + rng.normal(scale=0.5, size=n))
    if shape.kind == "multiple":
        Y = (rng.random((n, k)) < 0.4).astype(np.int8)
        return set_figures(basis, Y, np.clip(Y + rng.normal(scale=0.4, size=(n, k)), 0, 1), names)
    y = rng.integers(k, size=n)
    logits = rng.normal(size=(n, k + 1)) + 3 * (np.arange(-1, k) == y[:, None])
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    if shape.kind == "sequence":
        return sequence_figures(basis, y + 1, proba, np.arange(n + 1), names)
    proba = proba[:, 1:] / proba[:, 1:].sum(axis=1, keepdims=True)
    return class_figures(basis, y, proba, names)


def _line(number: int, labels: int, head: dict[str, Any], now: float) -> VersionLine:
    n, names = labels // 10, ("value", "low", "high", "n", "measure")
    told = {name: head["chosen"][name] for name in names}
    audit = {name: head["audit"]["figures"][name] for name in names} if n >= 30 else None
    return VersionLine(
        number, now - DAY + number, labels, tasks=labels, annotators=2, strategy="auto: margin",
        heads=[{"control": "topic", "labels": labels, "useful": True, "chosen": told,
                "audit": audit}],
        evaluated=True,
    )  # fmt: skip


def _job(line: VersionLine, now: float) -> JobLine:
    timings = {"wait": 0.2, "sync": 0.4, "fit": 1.2, "score": 0.8, "import": 1.5, "patch": 0.1}
    return JobLine(now - line.number, 4.2, "10 new labels", line.number, f"al-{line.number}.1", "",
                   timings)  # fmt: skip


def _publish(store: Store, uid: str, shape: Shape, now: float) -> None:
    size = min(100, shape.tasks)
    region = [{"value": {"choices": [shape.classes[0]]}}] if shape.classes else []
    record = {
        "name": f"al-{shape.versions}.1", "published_at": now, "why": "10 new labels",
        "tasks": list(range(1, size + 1)), "predictions": [region] * size,
        "confidences": [0.6] * size, "reasons": ["strategy"] * size, "shown": [True] * size,
    }  # fmt: skip
    store.record_publication(uid, 1, record)


def version_files(store: Store, uid: str, shape: Shape) -> None:
    """Write a manifest and an evaluation of each version, as large as real ones."""
    sample = {"ids": list(range(2_000)), "said": [1] * 2_000, "confidence": [0.512] * 2_000}
    for number in range(1, shape.versions + 1):
        store.save_version(uid, number, {"w": np.zeros(8)}, {"labels": number, "heads": []})
        store.save_evaluation(uid, number, {"samples": [sample], "audits": [None], "results": []})

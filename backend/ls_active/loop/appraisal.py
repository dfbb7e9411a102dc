"""What is recorded of a version besides its model: how good it is, and what it tells."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np

from active_learning import gate, history, loop, stopping, suspects
from active_learning.history import Sample, Snapshot
from active_learning.outcomes import AuditEstimate, Model, Results
from active_learning.scaling import scaling_of
from active_learning.types import Floats, Kind, Pool
from ls_active.loop.dataset import Dataset
from ls_active.loop.gate import Gate
from ls_active.loop.models import ModelVersion
from ls_active.records.store import Store

NEIGHBOURS = 20
"""Older versions looked at for one to compare with: more were never evaluated in a row."""


@dataclass(frozen=True, eq=False)
class _Earlier:
    """What was recorded before the version that is appraised, oldest first."""

    points: list[Mapping[str, Any]]

    def snapshots(self, head: int) -> list[tuple[int, Snapshot]]:
        """Return version and snapshot wherever the head had a model."""
        return [
            (point["version"], Snapshot(**point["heads"][head]))
            for point in self.points
            if point["heads"][head] is not None
        ]


class Appraisal:
    """The evaluations of the versions of one project, and its history.

    Parameters
    ----------
    store : Store
    uid : str
    """

    def __init__(self, store: Store, uid: str) -> None:
        self._store = store
        self._uid = uid

    def of(self, number: int) -> Mapping[str, Any] | None:
        """Return the evaluation of a version, None while it is not made."""
        return self._store.evaluation(self._uid, number)

    def make(
        self, version: ModelVersion, dataset: Dataset, seed: int, held: Collection[int]
    ) -> Mapping[str, Any]:
        """Record all that is told of a version fitted on exactly these labels, once.

        Parameters
        ----------
        held : collection of int
            Ids of audit tasks that wait for so long that they count as skipped.
        """
        found = self.of(version.number)
        if found is not None:
            return found
        heads = list(zip(dataset.pools, version.models, strict=True))
        audits = [
            loop.estimate_audit(pool, model=model, seed=seed, held=held) for pool, model in heads
        ]
        samples = [None if model is None else _sample(pool, model) for pool, model in heads]
        points = [p for p in self._points(version) if p["version"] != version.number]
        earlier = _Earlier([p for p in points if p["version"] < version.number])
        snapshots = [
            None
            if sample is None
            else self._snapshot(place, pool, sample, audit, earlier, _recall(version, place))
            for place, ((pool, _), sample, audit) in enumerate(
                zip(heads, samples, audits, strict=True)
            )
        ]
        evaluation = {
            "evaluated_at": time.time(),
            "signature": version.manifest["signature"],
            "labels": dataset.labels,
            "audits": [_without_results(audit) for audit in audits],
            "results": [asdict(audit.results) for audit in audits],
            "samples": [sample.to_record() if sample else None for sample in samples],
            "snapshots": [asdict(snapshot) if snapshot else None for snapshot in snapshots],
            "advice": _advice(earlier, snapshots),
            "suspects": _suspects(dataset.pools, version, seed),
            **self._compared(version, audits),
        }
        # In this order: a job killed between the two makes both again, and no point is lost.
        self._write_history(version, [*points, _point(version.number, evaluation)])
        self._store.save_evaluation(self._uid, version.number, evaluation)
        return evaluation

    # History

    def _points(self, version: ModelVersion) -> list[Mapping[str, Any]]:
        """Return the history of what is asked today, made anew where it was deleted."""
        document = self._store.read(self._uid, "history")
        if document is None:
            return self._rebuilt(version)
        return document["points"] if document["signature"] == version.manifest["signature"] else []

    def _rebuilt(self, version: ModelVersion) -> list[Mapping[str, Any]]:
        points: list[Mapping[str, Any]] = []
        for number in self._store.versions(self._uid):
            evaluation = self.of(number)
            if evaluation and _alike(evaluation, version):
                points.append(_point(number, evaluation))
        return points

    def _snapshot(
        self,
        head: int,
        pool: Pool,
        sample: Sample,
        audit: AuditEstimate,
        earlier: _Earlier,
        recall: Mapping[str, float],
    ) -> Snapshot:
        known = earlier.snapshots(head)
        labels = [each.labels for _, each in known]
        place = history.earlier_place(labels, len(pool.labeled), len(pool.classes))
        before = None
        if place is not None:
            evaluation = self.of(known[place][0])
            record = evaluation["samples"][head] if evaluation else None
            before = (labels[place], Sample.from_record(record)) if record else None
        return history.snapshot(pool, sample, audit, before, recall)

    def _write_history(self, version: ModelVersion, points: list[Mapping[str, Any]]) -> None:
        points.sort(key=lambda point: point["version"])
        labels = [max((head["labels"] for head in p["heads"] if head), default=0) for p in points]
        document = {
            "signature": version.manifest["signature"],
            "points": [points[place] for place in history.kept(labels)],
        }
        self._store.write(self._uid, "history", document)

    # Beside the version before

    def _compared(self, version: ModelVersion, audits: Sequence[AuditEstimate]) -> dict[str, Any]:
        number, before = self._before(version)
        comparisons = [
            asdict(gate.compare(_results(old), audit.results)) if old else None
            for old, audit in zip(before, audits, strict=False)
        ]
        return {"compared_with": number, "comparisons": comparisons or [None] * len(audits)}

    def _before(self, version: ModelVersion) -> tuple[int | None, Sequence[Mapping[str, Any]]]:
        """Return the newest version before that was in force, and how it did on each task."""
        held = Gate(self._store, self._uid).held
        older = [n for n in self._store.versions(self._uid) if n < version.number]
        for number in [n for n in reversed(older) if n not in held][:NEIGHBOURS]:
            evaluation = self.of(number)
            if evaluation and _alike(evaluation, version):
                return number, evaluation["results"]
        return None, ()


def _alike(evaluation: Mapping[str, Any] | None, version: ModelVersion) -> bool:
    """Whether an evaluation, not an old one, is of a version that answers the same question."""
    signature = (evaluation or {}).get("signature")
    return bool(signature == version.manifest["signature"])


def _sample(pool: Pool, model: Model) -> Sample:
    rows = history.sample_rows(pool)
    return history.take_sample(pool, rows, loop.opine(model, pool, rows))


def _recall(version: ModelVersion, head: int) -> Mapping[str, float]:
    """Return the share of each class that a version finds among labels it did not see."""
    chosen = version.manifest["heads"][head].get("chosen") or {}
    return cast("Mapping[str, float]", chosen.get("recall", {}))


def _advice(earlier: _Earlier, snapshots: Sequence[Snapshot | None]) -> list[Any]:
    return [
        asdict(stopping.advice([*(each for _, each in earlier.snapshots(head)), snapshot]))
        if snapshot
        else None
        for head, snapshot in enumerate(snapshots)
    ]


def furthest(advice: Sequence[Mapping[str, Any] | None]) -> Mapping[str, Any]:
    """Return the advice of the head that is furthest from enough; nothing without any."""
    order = list(stopping.Stage)
    found = [each for each in advice if each is not None]
    return min(found, key=lambda each: order.index(each["verdict"]), default={})


def _point(number: int, evaluation: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": number,
        "at": evaluation["evaluated_at"],
        "heads": evaluation["snapshots"],
    }


def _without_results(audit: AuditEstimate) -> dict[str, Any]:
    return {name: value for name, value in asdict(audit).items() if name != "results"}


def _results(record: Mapping[str, Any]) -> Results:
    return Results(*(tuple(record[name]) for name in ("ids", "values", "truths")))


def _suspects(
    pools: Sequence[Pool], version: ModelVersion, seed: int
) -> list[list[dict[str, Any]]]:
    found: list[list[dict[str, Any]]] = []
    for place, (pool, model) in enumerate(zip(pools, version.models, strict=True)):
        held = version.out_of_fold[place] if version.out_of_fold else None
        if pool.kind is not Kind.SINGLE or model is None:
            found.append([])
            continue
        if not version.out_of_fold:
            # Killed between fitting and here: the same labels give the same probabilities.
            held = loop.fit(pool, previous=model, seed=seed).out_of_fold
        found.append([] if held is None else _suspects_of(pool, held))
    return found


def _suspects_of(pool: Pool, held: Floats) -> list[dict[str, Any]]:
    rows = pool.labeled
    X = scaling_of(pool).apply(pool.X[rows])
    ids, y = pool.ids[rows].tolist(), np.asarray(pool.y[rows])
    return [
        {
            "task": ids[each.row],
            "given": pool.classes[each.given],
            "suggested": pool.classes[each.suggested],
            "score": round(each.score, 4),
            "doubt": str(each.doubt),
            "twin": None if each.twin is None else ids[each.twin],
        }
        for each in suspects.find_suspects(y, held, X)
    ]

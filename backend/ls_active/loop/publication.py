"""Publish the head of the queue so that Label Studio serves it, and nothing half of it, ever.

Label Studio serves the lowest `score` first among predictions whose version string equals the
project's `model_version`. So a publication is imported whole under a name of its own, counted, and
only then named by the project: one row changes, and the whole queue has.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_learning.outcomes import Queue, Verdict
from active_learning.types import Reason
from ls_active.errors import PublicationIncomplete, PublicationReplaced
from ls_active.labeling.label_config import LabelConfig
from ls_active.labeling.layout import Layout
from ls_active.labeling.plan import Head, Plan
from ls_active.loop.workshop import Workshop

logger = logging.getLogger(__name__)

GAP = 2e-6
"""Between neighbouring scores: ties would be served in the order of ids."""

TRIES = 3

_NAME = re.compile(r"al-(\d+)\.(\d+)")


def version_name(version: int) -> str:
    """Return what /setup and /predict call a model version."""
    return f"al-{version}"


def publication_name(version: int, number: int) -> str:
    """Return the version string that a publication's predictions carry."""
    return f"al-{version}.{number}"


def deal(confidences: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return the confidences sorted and strictly increasing: the scores in queue order.

    The numbers people see stay confidences of this very head, the order is exactly ours, and ties
    cannot occur.
    """
    ordered = np.sort(np.clip(confidences.astype(np.float64), 0.0, 1.0))
    steps = GAP * np.arange(len(ordered))
    raised = np.maximum.accumulate(ordered - steps) + steps
    scores: NDArray[np.float64] = np.minimum(raised, 1.0 - steps[::-1])
    return scores


@dataclass(frozen=True)
class Item:
    """One task of a publication: what we would answer, and why it is asked now.

    `prediction` is all that we would answer, `result` what annotators see of it.
    """

    task: int
    reason: Reason
    acquisition: float
    confidence: float
    prediction: list[dict[str, Any]]
    result: list[dict[str, Any]]


def unasked(task: int, reason: Reason, plan: Plan, acquisition: float = 0.0) -> Item:
    """Return a task of which no model says anything: as sure as a guess."""
    guess = min((1 / max(len(head.classes), 2) for head in plan.heads), default=0.5)
    return Item(task, reason, acquisition, guess, [], [])


def items(
    queue: Queue,
    plan: Plan,
    *,
    prelabels: str,
    useful: Sequence[bool],
    layout: Callable[[int, int], Layout | None],
) -> list[Item]:
    """Return what a queue's tasks are published with.

    A guess is shown only where it helps: never on audit and cold-start tasks, unless the project
    says ``always``, and of a head only once it is `useful`.

    Parameters
    ----------
    layout : callable
        ``layout(input, task)`` says where the units of a task lie.
    """
    always = prelabels == "always"
    shown = {
        head.name: always or (prelabels == "auto" and good)
        for head, good in zip(plan.heads, useful, strict=False)
    }
    found = []
    for place, (task, reason) in enumerate(zip(queue.ids.tolist(), queue.reasons, strict=True)):
        acquisition = float(queue.scores[place])
        verdicts = [
            (head, said[place])
            for head, said in zip(plan.heads, queue.verdicts, strict=True)
            if said
        ]
        if not verdicts:
            found.append(unasked(task, reason, plan, acquisition))
            continue
        of_head = {head.name: _regions(head, verdict, task, layout) for head, verdict in verdicts}
        prediction = [region for regions in of_head.values() for region in regions]
        seen = always or reason is not Reason.AUDIT
        result = [r for name, regions in of_head.items() if shown[name] and seen for r in regions]
        confidence = float(np.mean([verdict.confidence for _, verdict in verdicts]))
        found.append(Item(task, reason, acquisition, confidence, prediction, result))
    return found


def _regions(
    head: Head, verdict: Verdict, task: int, layout: Callable[[int, int], Layout | None]
) -> list[dict[str, Any]]:
    return head.write(verdict, None if head.units is None else layout(head.units, task))


class Publisher:
    """Writes publications of one project into Label Studio.

    Parameters
    ----------
    shop : Workshop
        Its `check` is called before every write.
    """

    def __init__(self, shop: Workshop) -> None:
        self._client = shop.client
        self._store = shop.store
        self._uid = shop.uid
        self._project_id = shop.project_id
        self._check = shop.check
        self._stage = shop.clock.stage

    def publish(
        self, version: int, content: Sequence[Item], config: LabelConfig, **remarks: Any
    ) -> dict[str, Any]:
        """Make `content`, in its order, the queue of the project; return the record of it.

        Parameters
        ----------
        version : int
            The model version it comes from, 0 before the first.
        content : sequence of Item
        config : LabelConfig
            Checks every prediction before it leaves.
        **remarks
            Kept in the record.

        Raises
        ------
        LabelStudioRejected
            If Label Studio refuses the batch, which it does when a task was deleted meanwhile.
        PublicationIncomplete
            If it holds other predictions than were sent, three times.
        """
        scores = deal(np.array([item.confidence for item in content]))
        with self._stage("import"):
            present = self._client.prediction_counts(self._project_id)
            self._clear(present)
            number = self._claim(present)
            name = publication_name(version, number)
            self._import(name, _predictions(content, scores, name, config))
        with self._stage("patch"):
            self._check()
            self._client.update_project(self._project_id, model_version=name)
            if self._client.project(self._project_id).model_version != name:
                raise PublicationReplaced(f"Label Studio names another version than {name} already")
        record = {
            "name": name,
            "publication": number,
            "version": version,
            "published_at": time.time(),
            "config": config.digest,
            **remarks,
            **_columns(content, scores),
        }
        self._store.record_publication(self._uid, number, record)
        logger.info("project %s: published %s, %d tasks", self._uid, name, len(content))
        return record

    def claimed(self, name: str) -> bool:
        """Return whether a version string is a publication of ours."""
        match = _NAME.fullmatch(name)
        return match is not None and int(match[2]) in self._store.claimed_publications(self._uid)

    def stale(self, below: int) -> list[str]:
        """Return the publications numbered below `below` that Label Studio still holds."""
        ours = self._ours(self._client.prediction_counts(self._project_id))
        return [name for number, name in ours if number < below]

    def prune(self, current: str, names: Sequence[str], titles: Sequence[str]) -> bool:
        """Delete publications, only while the project names `current`; return whether all are gone.

        Were it a backend's title instead, Label Studio would forget the current version.
        """
        for name in names:
            self._check()
            named = self._client.project(self._project_id).model_version
            if named != current or named in titles:
                return False
            self._client.delete_model_version(self._project_id, name)
        return True

    def _clear(self, present: Mapping[str, int]) -> None:
        """Delete what never came into force: an import that failed may have been done all the same.

        Only where a queue of ours is in force: a backend's title is none, see `prune`.
        """
        last = max(self._store.publications(self._uid), default=0)
        left = [name for number, name in self._ours(present) if number > last]
        if left:
            current = self._client.project(self._project_id).model_version
            titles = [row["title"] for row in self._client.ml_backends(self._project_id)]
            if self.claimed(current):
                self.prune(current, [name for name in left if name != current], titles)

    def _ours(self, present: Iterable[str]) -> list[tuple[int, str]]:
        """Return number and name of our publications, ascending.

        Only numbers that our store claimed: what somebody retrieved by hand is not ours.
        """
        claimed = set(self._store.claimed_publications(self._uid))
        found = filter(None, map(_NAME.fullmatch, present))
        return sorted((int(each[2]), each[0]) for each in found if int(each[2]) in claimed)

    def _claim(self, present: Mapping[str, int]) -> int:
        # A data folder that was deleted would count from one again: never below what is there.
        taken = [int(match[2]) for name in present if (match := _NAME.fullmatch(name))]
        return self._store.claim_publication(self._uid, above=max(taken, default=0))

    def _import(self, name: str, predictions: list[dict[str, Any]]) -> None:
        there = 0
        for _ in range(TRIES):
            self._check()
            if there:
                self._client.delete_model_version(self._project_id, name)
            created = self._client.import_predictions(self._project_id, predictions)
            there = self._client.prediction_counts(self._project_id).get(name, 0)
            if there == len(predictions):
                return
            logger.warning(
                "%s: sent %d predictions, Label Studio says %d and holds %d",
                name, len(predictions), created, there,
            )  # fmt: skip
        raise PublicationIncomplete(
            f"{name}: sent {len(predictions)} predictions, Label Studio holds {there} after "
            f"{TRIES} tries; its log names the ones it dropped"
        )


def _predictions(
    content: Sequence[Item], scores: NDArray[np.float64], name: str, config: LabelConfig
) -> list[dict[str, Any]]:
    predictions = []
    for item, score in zip(content, scores, strict=True):
        prediction = {
            "task": item.task, "result": item.result, "score": float(score), "model_version": name,
        }  # fmt: skip
        problems = config.validate(prediction) if item.result else []
        if problems:
            logger.error("task %d: published without an answer: %s", item.task, problems[0])
            prediction["result"] = []
        predictions.append(prediction)
    return predictions


def _columns(content: Sequence[Item], scores: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "tasks": [item.task for item in content],
        "scores": [float(score) for score in scores],
        "reasons": [item.reason.value for item in content],
        "acquisition": [item.acquisition for item in content],
        "predictions": [item.prediction for item in content],
        "confidences": [item.confidence for item in content],
        "shown": [bool(item.result) for item in content],
    }

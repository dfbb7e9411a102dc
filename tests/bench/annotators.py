"""What annotators feel of us, as the time Label Studio takes to serve the next task."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ls_active.label_studio.client import LabelStudioClient, Project
from tests.bench.loop import Site, think
from tests.bench.report import Report, Table, judged
from tests.harness import data
from tests.harness.label_studio import Annotator, add_user

TASKS = 2_000
LABELS = 100
PREDICTED = 400
"""Tasks with a fixed prediction in the project we are not connected to: more than are labelled."""

THINKING = 0.8
"""Seconds that an annotator looks at a task: faster than people, so that we have more to do."""

RATIO = 1.3


@dataclass
class _Arm:
    name: str
    project: Project
    next_seconds: list[float] = field(default_factory=list)
    submit_seconds: list[float] = field(default_factory=list)


class AnnotatorSection:
    """Two annotators in two projects alike, one of them with us, by turns.

    Parameters
    ----------
    place : Site
    seconds : float
        Labelling in each project, in all.
    turns : int
        Of each project.
    """

    def __init__(self, place: Site, seconds: float, turns: int) -> None:
        self._site = place
        self._seconds = seconds / turns
        self._turns = turns
        texts = data.short_texts(TASKS + LABELS, seed=3)
        self._without = _Arm(
            "fixed predictions, no backend", place.new_project("without us", texts, LABELS)
        )
        self._with = _Arm("with us", place.new_project("with us", texts, LABELS))
        key = add_user(place.studio, "second@example.com")
        self._clients = [place.client, LabelStudioClient(place.studio.url, key)]

    def run(self, report: Report) -> None:
        """Measure, and add the table."""
        self._publish_fixed(self._without.project)
        self._site.connect(self._with.project)
        self._site.wait_for_labels(self._with.project, LABELS)
        self._site.settle(self._with.project)
        for turn in range(self._turns):
            self._label(self._without, turn)
            self._label(self._with, turn)
            # What the last labels set off is ours, and must not be felt in the other project.
            self._site.settle(self._with.project)
        self._clients[1].close()
        table = Table(
            "What two annotators wait for, while they label",
            ("project", "tasks", "next p50 ms", "next p95 ms", "submit p95 ms", "p95, aim"),
            notes=(f"{THINKING} s of thought a task; both projects in one Label Studio, by turns",),
        )
        plain = _percentile(self._without.next_seconds, 95)
        for arm in (self._without, self._with):
            ratio = _percentile(arm.next_seconds, 95) / plain
            aim = judged(ratio, RATIO, "x") if arm is self._with else None
            table.row(arm.name, len(arm.next_seconds), *_figures(arm), aim)
        report.add("annotators", table)

    def _publish_fixed(self, project: Project) -> None:
        """Give a project what we would give it, once: uncertainty sampling over predictions."""
        client = self._site.client
        tasks = next(client.tasks(project.id, include=("id",)))[-PREDICTED:]
        predictions = [
            {"task": task["id"], "result": [], "score": n / PREDICTED, "model_version": "fixed"}
            for n, task in enumerate(tasks)
        ]
        client.import_predictions(project.id, predictions)
        client.update_project(project.id, sampling="Uncertainty sampling", model_version="fixed")

    def _label(self, arm: _Arm, turn: int) -> None:
        over = threading.Event()
        annotators = [Annotator(client, arm.project.id) for client in self._clients]
        failed: list[BaseException] = []

        def work(number: int) -> None:
            rng = random.Random(f"{turn}:{number}")
            try:
                while not over.is_set():
                    self._one_task(annotators[number], rng)
            except BaseException as error:
                failed.append(error)
                raise

        threads = [threading.Thread(target=work, args=(n,)) for n in range(len(annotators))]
        for thread in threads:
            thread.start()
        over.wait(self._seconds)
        over.set()
        for thread in threads:
            thread.join()
        assert not failed, failed
        for annotator in annotators:
            arm.next_seconds += annotator.next_seconds
            arm.submit_seconds += annotator.submit_seconds

    def _one_task(self, annotator: Annotator, rng: random.Random) -> None:
        task = annotator.next()
        assert task is not None, "the project ran out of tasks"
        think(THINKING, rng)
        annotator.submit(task["id"], self._site.truth[task["data"]["text"]])


def _figures(arm: _Arm) -> tuple[float, float, float]:
    values = (
        _percentile(arm.next_seconds, 50),
        _percentile(arm.next_seconds, 95),
        _percentile(arm.submit_seconds, 95),
    )
    return round(values[0] * 1000), round(values[1] * 1000), round(values[2] * 1000)


def _percentile(values: Sequence[float], share: float) -> float:
    return float(np.percentile(values, share))

"""From an annotator's submit to the new queue, on a real Label Studio."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ls_active.demo.studio import Studio
from ls_active.label_studio.client import LabelStudioClient, Project
from ls_active.loop.agenda import pause_left
from ls_active.options import Options
from ls_active.records.project import ProjectStatus
from tests.bench.machine import PeakMemory
from tests.bench.proxy import Proxy
from tests.bench.report import Report, Table, judged, median
from tests.harness import data
from tests.harness.label_studio import Annotator, label_studio
from tests.harness.stack import Stack, serve

STAGES = ("wait", "sync", "fit", "score", "import", "patch", "evaluate", "prune")
FEW, MANY = 100, 1_000
OWN_AIM = 1.5
CONNECT_SECONDS = 180.0


@dataclass(frozen=True)
class Round:
    """One submit and what came of it, in seconds from the webhook.

    Attributes
    ----------
    published
        Until Label Studio serves the new queue.
    own
        Of our own until the PATCH is sent: that, less what Label Studio took to answer us.
    stages
        What the job says of itself.
    """

    published: float
    own: float
    stages: dict[str, float]


@dataclass
class Site:
    """A real Label Studio, our whole service beside it, and a door between them each way."""

    studio: Studio
    stack: Stack
    client: LabelStudioClient
    to_studio: Proxy
    to_us: Proxy
    peak: PeakMemory
    annotators: dict[int, Annotator] = field(default_factory=dict)
    truth: dict[str, str] = field(default_factory=dict)

    def new_project(self, title: str, texts: Sequence[data.Labelled], labels: int) -> Project:
        """Create a project of `texts` of which the first few are labelled already."""
        project = self.client.create_project(title, data.LABEL_CONFIG)
        self.annotators[project.id] = Annotator(self.client, project.id)
        self.add(project, texts[:labels], labelled=True)
        self.add(project, texts[labels:], labelled=False)
        return project

    def add(self, project: Project, texts: Sequence[data.Labelled], *, labelled: bool) -> list[int]:
        """Import tasks, with the true answer of each if `labelled`."""
        self.truth.update(texts)
        answer = self.annotators[project.id].result
        tasks: list[dict[str, Any]] = [{"data": {"text": text}} for text, _ in texts]
        if labelled:
            for task, (_, label) in zip(tasks, texts, strict=True):
                task["annotations"] = [{"result": answer(label), "ground_truth": False}]
        return self.client.import_tasks(project.id, tasks)

    def connect(self, project: Project) -> None:
        """Connect our service, through the door."""
        self.client.connect_ml_backend(project.id, self.to_us.url, "active learning")

    def wait_for_labels(self, project: Project, labels: int) -> None:
        """Wait until a queue made of so many labels is published."""
        self.stack.wait_until(lambda: self._published_labels(project) >= labels, CONNECT_SECONDS)

    def settle(self, project: Project) -> None:
        """Wait until the next publication may come at once, and nothing is under way."""
        status = self.stack.status(project.uid)
        record = self._record(project)
        time.sleep(pause_left(record, Options(), now=time.time(), timings=status.timings) + 1.0)

    def submit_one(self, project: Project) -> None:
        """Label the task that is served next."""
        annotator = self.annotators[project.id]
        task = annotator.next()
        assert task is not None
        annotator.submit(task["id"], self.truth[task["data"]["text"]])

    def round(self, project: Project) -> Round:
        """Submit one label and follow it to the new queue."""
        before, labels = time.time(), self._published_labels(project)
        self.submit_one(project)
        self.wait_for_labels(project, labels + 1)
        record = self._record(project)
        status = self._finished(project, record["name"])
        hook = next(call for call in self.to_us.since(before) if call.path == "/webhook")
        ours = [call for call in self.to_studio.since(hook.began) if _of(call.path, project.id)]
        patch = next(call for call in ours if call.method == "PATCH")
        waited = sum(call.seconds for call in ours if call.ended <= patch.began)
        return Round(
            published=record["published_at"] - hook.began,
            own=patch.began - hook.began - waited,
            stages=dict(status.timings),
        )

    def _record(self, project: Project) -> dict[str, Any]:
        numbers = self.stack.store.publications(project.uid)
        found = self.stack.store.publication(project.uid, numbers[-1]) if numbers else None
        return dict(found or {"labels": -1, "published_at": 0.0})

    def _published_labels(self, project: Project) -> int:
        return int(self._record(project)["labels"])

    def _finished(self, project: Project, name: str) -> ProjectStatus:
        return self.stack.wait_for(project.uid, lambda status: status.publication == name)


def _of(path: str, project_id: int) -> bool:
    route, _, query = path.partition("?")
    if route == "/api/tasks":
        return f"project={project_id}&" in f"{query}&"
    return f"{route}/".startswith(f"/api/projects/{project_id}/")


def _pid(backend: Stack) -> int:
    assert backend._process is not None
    return backend._process.pid


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """Run all of it."""
    with ExitStack() as stack:
        studio = stack.enter_context(label_studio(folder / "label-studio"))
        to_studio, to_us = stack.enter_context(Proxy(studio.url)), stack.enter_context(Proxy())
        backend = stack.enter_context(serve(folder / "backend", to_studio.url, studio.api_key))
        to_us.target = backend.url
        peak = stack.enter_context(PeakMemory(_pid(backend)))
        client = stack.enter_context(LabelStudioClient(studio.url, studio.api_key))
        yield Site(studio, backend, client, to_studio, to_us, peak)


class LoopSection:
    """Projects of several sizes, measured with few labels and, later, with many.

    Parameters
    ----------
    place : Site
    sizes : sequence of int
        Tasks of each project that wait for a label.
    repeats : int
        Rounds measured of each.
    """

    def __init__(self, place: Site, sizes: Sequence[int], repeats: int) -> None:
        self._site = place
        self._repeats = repeats
        self._spare = data.short_texts(max(sizes) + MANY + FEW, seed=2)
        self.projects = [self._project(size) for size in sizes]
        self._table = Table(
            "From webhook to published queue, seconds (median of each column)",
            ("labels", "tasks", "rounds", "published", "own work", *STAGES, "own work, aim"),
            notes=(
                "published: webhook received to PATCH confirmed; evaluate and prune come after it",
                "own work: webhook received to PATCH sent, less what Label Studio took to answer",
            ),
        )

    def _project(self, size: int) -> Project:
        texts = self._spare[MANY - FEW :][: size + FEW]
        return self._site.new_project(f"{size} tasks", texts, FEW)

    def connect(self) -> None:
        """Connect every project and wait for its first model."""
        for project in self.projects:
            self._site.connect(project)
        for project in self.projects:
            self._site.wait_for_labels(project, FEW)

    def more_labels(self) -> None:
        """Bring every project to many labels, by importing tasks that have one."""
        for project in self.projects:
            self._site.add(project, self._spare[: MANY - FEW], labelled=True)
        for project in self.projects:
            self._site.wait_for_labels(project, MANY)

    def measure(self) -> None:
        """Measure every project as it stands."""
        for project in self.projects:
            rounds = []
            for _ in range(self._repeats):
                self._site.settle(project)
                rounds.append(self._site.round(project))
            self._add_row(project, rounds)

    def report(self, report: Report) -> None:
        """Add the table."""
        report.add("loop", self._table)

    def _add_row(self, project: Project, rounds: Sequence[Round]) -> None:
        status = self._site.stack.status(project.uid)
        own = median([each.own for each in rounds])
        stages = [median([each.stages.get(name, 0.0) for each in rounds]) for name in STAGES]
        published = median([each.published for each in rounds])
        aim = judged(own, OWN_AIM, " s")
        self._table.row(status.labels, status.tasks, len(rounds), published, own, *stages, aim)


def report_memory(peak: PeakMemory, report: Report) -> None:
    """Say what our processes used at most, over all that was done with them."""
    table = Table("Peak memory of the whole service", ("process", "MiB"))
    for role, mib in sorted(peak.mib.items()):
        table.row(role, round(mib))
    report.add("memory", table)


def think(seconds: float, rng: random.Random) -> None:
    """Wait as an annotator does, about so long."""
    time.sleep(rng.uniform(0.5, 1.5) * seconds)

"""A project under test: what Label Studio has of it, what we have, and the true labels."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ls_active.errors import LabelStudioRejected
from ls_active.label_studio.client import LabelStudioClient, Project, Task
from ls_active.records.project import ProjectStatus
from tests.harness.data import LABEL_CONFIG, Labelled
from tests.harness.label_studio import Annotator
from tests.harness.stack import Stack

_TOO_BUSY = re.compile("503 Server Error|Read timed out|health check failed")


class Case:
    """One project, connected or not.

    Attributes
    ----------
    client : LabelStudioClient
        Of the project's owner.
    id, uid : int, str
        In Label Studio's API, and in ours.
    truth : dict
        The right choice of every task.
    backend : int
        The id of our row among the project's backends, once connected.
    """

    def __init__(self, client: LabelStudioClient, stack: Stack, project: Project) -> None:
        self.client = client
        self.stack = stack
        self.id = project.id
        self.uid = project.uid
        self.truth: dict[int, str] = {}
        self.backend = 0

    @classmethod
    def create(
        cls,
        client: LabelStudioClient,
        stack: Stack,
        title: str,
        texts: Sequence[Labelled],
        **fields: Any,
    ) -> Case:
        """Create a project and fill it."""
        config = fields.pop("label_config", LABEL_CONFIG)
        case = cls(client, stack, client.create_project(title, config, **fields))
        case.add(texts)
        return case

    def add(self, texts: Sequence[Labelled]) -> list[int]:
        """Import tasks and return their ids."""
        if not texts:
            return []
        ids = self.client.import_tasks(self.id, [{"data": {"text": text}} for text, _ in texts])
        self.truth |= {task: label for task, (_, label) in zip(ids, texts, strict=True)}
        return ids

    # Connecting

    def connect(self, **options: Any) -> ProjectStatus:
        """Press "Connect Model", and wait for the first queue that knows the tasks."""
        self.wait_until(lambda: self._press_connect(options), 20)
        return self.wait_for(lambda status: status.state in ("waiting", "ready"))

    def _press_connect(self, options: dict[str, Any]) -> bool:
        """Say whether Label Studio could reach us: on a busy machine one presses again."""
        try:
            row = self.client.connect_ml_backend(
                self.id, self.stack.url, "active learning", extra_params=options
            )
        except LabelStudioRejected as error:
            if not _TOO_BUSY.search(str(error)):
                raise
            return False
        self.backend = row["id"]
        return True

    def set_options(self, options: dict[str, Any] | str) -> None:
        """Edit the options of the connection."""
        body = {"url": self.stack.url, "project": self.id, "extra_params": options}
        self.client.http.json("PATCH", f"/api/ml/{self.backend}", body=body)

    # Looking

    @property
    def project(self) -> Project:
        """The project as Label Studio has it now."""
        return self.client.project(self.id)

    @property
    def status(self) -> ProjectStatus:
        """What we say about it."""
        return self.stack.status(self.uid)

    @property
    def versions(self) -> list[int]:
        """The numbers of all model versions."""
        return self.stack.store.versions(self.uid)

    def wait_for(
        self, condition: Callable[[ProjectStatus], bool], seconds: float = 60
    ) -> ProjectStatus:
        """Wait until what we say about the project meets a condition."""
        return self.stack.wait_for(self.uid, condition, seconds)

    def wait_until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        """Wait until something holds."""
        try:
            self.stack.wait_until(condition, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\nthe project says {self.status}") from None

    def publications(self) -> list[dict[str, Any]]:
        """Return the records of all publications, oldest first."""
        numbers = self.stack.store.publications(self.uid)
        records = (self.stack.store.publication(self.uid, number) for number in numbers)
        return [record for record in records if record is not None]

    def queue(self, name: str = "") -> dict[str, Any]:
        """Return the record of a publication, of the one in force unless named."""
        name = name or self.project.model_version
        number = int(name.rpartition(".")[2])
        self.wait_until(lambda: self.stack.store.publication(self.uid, number) is not None, 10)
        record = self.stack.store.publication(self.uid, number)
        assert record is not None
        assert record["name"] == name
        return record

    # Annotators

    def annotator(self, client: LabelStudioClient | None = None) -> Annotator:
        """Return somebody who labels it."""
        return Annotator(client or self.client, self.id)

    def answer(self, task: Task) -> str:
        """Return the right choice for a task."""
        return self.truth[task["id"]]

    def label(self, n: int) -> list[int]:
        """Label `n` tasks as they are served and return the ids of the annotations."""
        annotator = self.annotator()
        made = []
        for _ in range(n):
            task = annotator.next()
            assert task is not None
            made.append(annotator.submit(task["id"], self.answer(task))["id"])
        return made

    def label_both_ways(self, n: int) -> list[int]:
        """Label `n` tasks of our choice, of at least two classes, as an open tab may; the ids."""
        annotator = self.annotator()
        by_class: dict[str, list[int]] = {}
        for task, label in self.truth.items():
            by_class.setdefault(label, []).append(task)
        columns = [iter(tasks) for tasks in by_class.values()]
        chosen = [next(columns[turn % len(columns)]) for turn in range(n)]
        return [annotator.submit(task, self.truth[task])["id"] for task in chosen]

    # What is learned

    def said(self) -> dict[int, str]:
        """Return the label of every task by Label Studio's own account of its annotations."""
        # Not by its lists: their counts, which the filters go by, lag while predictions come.
        path = f"/api/projects/{self.id}/export"
        tasks = self.client.http.json("GET", path, params={"exportType": "JSON"})
        labels = {task["id"]: _label(task["annotations"]) for task in tasks}
        return {task: label for task, label in labels.items() if label is not None}

    def learned(self, labels: dict[int, str]) -> bool:
        """Say whether the newest version was fitted on exactly these labels."""
        if not self.versions:
            return False
        manifest = self.stack.store.manifest(self.uid, self.versions[-1])
        return bool(manifest["labels_digest"] == _digest(manifest["heads"][0]["classes"], labels))

    def wait_learned(self, seconds: float = 60) -> dict[int, str]:
        """Wait until all that annotators said is learned and in force; return it."""
        said = self.said()
        try:
            self.wait_until(lambda: self.learned(said), seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\nannotators said {said}, now {self.said()}") from None
        self.wait_until(lambda: self.in_force(self.versions[-1]), seconds)
        return said

    def in_force(self, version: int) -> bool:
        """Say whether Label Studio serves a queue of a version."""
        return self.project.model_version.startswith(f"al-{version}.")

    @property
    def predictions(self) -> dict[str, int]:
        """How many predictions of each version string Label Studio holds."""
        return self.client.prediction_counts(self.id)


def label_config(*classes: str) -> str:
    """Return a label config with these choices."""
    choices = "".join(f"<Choice value={json.dumps(name)}/>" for name in classes)
    return (
        '<View><Text name="text" value="$text"/>'
        f'<Choices name="topic" toName="text" choice="single">{choices}</Choices></View>'
    )


def _label(annotations: Iterable[dict[str, Any]]) -> str | None:
    """Return what the annotators of a task say together: a ground truth, else a majority."""
    given = [each for each in annotations if each["result"] and not each["was_cancelled"]]
    voices = [each for each in given if each["ground_truth"]] or given
    votes = Counter(each["result"][0]["value"]["choices"][0] for each in voices).most_common(2)
    tied = len(votes) == 2 and votes[0][1] == votes[1][1]
    return votes[0][0] if votes and not tied else None


def _digest(classes: Sequence[str], labels: dict[int, str]) -> str:
    ids = sorted(task for task, label in labels.items() if label in classes)
    digest = hashlib.sha256("\x00".join(classes).encode())
    digest.update(np.array(ids, dtype=np.int64).tobytes())
    digest.update(np.array([classes.index(labels[task]) for task in ids], dtype=np.int64).tobytes())
    return digest.hexdigest()

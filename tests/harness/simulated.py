"""Label Studio in memory: the calls that the loop makes, as it really answers them, and its faults.

One project, number 1 unless said otherwise. A real one serves the end-to-end tests; this one is for
what a real one cannot be made to do: lose predictions, store them twice, or see us killed between
any two writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from types import SimpleNamespace
from typing import Any

from ls_active.errors import LabelStudioRejected, LabelStudioUnreachable, NotFoundInLabelStudio
from ls_active.label_studio.client import Project, Task
from ls_active.label_studio.query import ANNOTATION_FIELDS, Filter, Page, TaskPages
from ls_active.labeling import label_config
from tests.harness.effects import Effects
from tests.harness.simulated_project import SimulatedProject, SimulatedTask, is_valid_host, text_of


@dataclass
class Faults:
    """What goes wrong at the next calls.

    Attributes
    ----------
    down : Exception or None
        What every call raises.
    drop : list of int
        How many predictions each of the next imports loses without a word.
    twice : int
        How many of the next imports are stored twice, as after a retry inside Label Studio.
    during_import : list of callable
        Done at the start of each of the next imports, by somebody else.
    """

    down: Exception | None = None
    drop: list[int] = field(default_factory=list)
    twice: int = 0
    during_import: list[Callable[[], object]] = field(default_factory=list)


class SimulatedLabelStudio(SimulatedProject):
    """Stands in for a `LabelStudioClient` and the Label Studio behind it.

    Attributes
    ----------
    effect : Effects
        Of ours, on Label Studio.
    reads : list of (tuple of str, list of int)
        Every page of the task list that was asked for: fields, and ids of the tasks.
    calls : Counter
        How often each method was called.
    sent : dict
        How many predictions were meant to be in each version that was imported.
    page_cap : int
        Largest page, whatever is asked for.
    gone : bool
        Whether the project was deleted.
    """

    url = "http://studio.example:8080"

    def __init__(self, texts: Iterable[Any] = (), *, number: int = 1, **fields: Any) -> None:
        super().__init__(texts, number=number, **fields)
        self.effect = Effects()
        self.faults = Faults()
        self.reads: list[tuple[tuple[str, ...], list[int]]] = []
        self.calls: Counter[str] = Counter()
        self.sent: dict[str, int] = {}
        self.page_cap = 1000
        self.gone = False
        self.http = SimpleNamespace(authorization=lambda: {"Authorization": "Bearer a token"})

    # Projects

    def project(self, project_id: int) -> Project:
        self._called("project", project_id)
        annotations = [item for task in self.rows.values() for item in task.annotations]
        skipped = sum(bool(item["was_cancelled"]) for item in annotations)
        known = {**self.fields, "model_version": self.fields["model_version"] or ""}
        return Project(
            id=self.number,
            task_number=len(self.rows),
            total_annotations_number=len(annotations) - skipped,
            skipped_annotations_number=skipped,
            **{name: known[name] for name in Project.__dataclass_fields__.keys() & known.keys()},
        )

    def update_project(self, project_id: int, **fields: Any) -> Project:
        self._called("update_project", project_id)
        with self.effect(f"PATCH {', '.join(fields)}"):
            version = fields.get("model_version", "")
            titles = {row["title"] for row in self.backends}
            if version != "" and version not in titles | set(self.version_counts()):
                raise LabelStudioRejected(f"no such model version: {version!r}")
            if fields.get("show_collab_predictions") is False:
                self.fields["model_version"] = ""
            self.fields |= fields
        return self.project(project_id)

    # Tasks

    def tasks(
        self,
        project_id: int,
        *,
        filters: Sequence[Filter] = (),
        include: Sequence[str] = ("id", "data"),
        fields: str = "task_only",
        page_size: int = 1000,
        after_id: int = 0,
    ) -> TaskPages:
        def fetch(last_id: int) -> Page:
            self._called("tasks", project_id)
            rows = [row for row in self._matching(filters) if row.id > last_id]
            page = rows[: min(page_size, self.page_cap)]
            self.reads.append((tuple(include), [row.id for row in page]))
            shown = [self._shown(row, include, annotations=fields == "all") for row in page]
            clock = self.now.replace(microsecond=0)
            return Page(shown, len(rows), sum(row.submitted for row in rows), 0, clock)

        return TaskPages(fetch, after_id)

    def first_tasks(self, project_id: int, most: int = 20) -> list[Task]:
        self._called("first_tasks", project_id)
        return [{"id": each.id, "data": each.data} for each in islice(self._matching(()), most)]

    def count(self, project_id: int, *filters: Filter) -> int:
        self._called("count", project_id)
        return sum(1 for _ in self._matching(filters))

    # Predictions

    def import_predictions(self, project_id: int, predictions: Sequence[Mapping[str, Any]]) -> int:
        self._called("import_predictions", project_id)
        with self.effect("import"):
            if self.faults.during_import:
                self.faults.during_import.pop(0)()
            if not {item["task"] for item in predictions} <= self.rows.keys():
                raise LabelStudioRejected("Task id not found in the project")
            self.sent |= Counter(item["model_version"] for item in predictions)
            # What is wrong is dropped, and the answer is 201.
            good = [dict(item) for item in predictions if self._is_valid(item)]
            good = good[self.faults.drop.pop(0) if self.faults.drop else 0 :]
            self.predictions += good
            if self.faults.twice:
                self.faults.twice -= 1
                self.predictions += good
        return len(good)

    def prediction_counts(self, project_id: int) -> dict[str, int]:
        self._called("prediction_counts", project_id)
        current = self.fields["model_version"]
        return ({current: 0} if current else {}) | self.version_counts()

    def delete_model_version(self, project_id: int, version: str) -> int:
        self._called("delete_model_version", project_id)
        with self.effect(f"DELETE {version}"):
            before = len(self.predictions)
            self.predictions = [p for p in self.predictions if p["model_version"] != version]
            titles = {row["title"] for row in self.backends}
            if self.fields["model_version"] in {version} | titles:
                self.fields["model_version"] = None
        return before - len(self.predictions)

    def serves_whole(self) -> bool:
        """Say whether the model version names predictions, and all that were meant to be there."""
        version = self.fields["model_version"]
        return version in self.sent and self.version_counts().get(version) == self.sent[version]

    # Webhooks and backends

    def webhooks(self, project_id: int) -> list[dict[str, Any]]:
        self._called("webhooks", project_id)
        return [dict(row) for row in self.hooks]

    def create_webhook(
        self, project_id: int, url: str, *, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        self._called("create_webhook", project_id)
        with self.effect("POST webhook"):
            if not is_valid_host(url):
                raise LabelStudioRejected("Enter a valid URL.")
            row = {"url": url, "headers": dict(headers or {}), "is_active": True}
            self.hooks.append({"id": next(self._ids), **row})
        return self.hooks[-1]

    def update_webhook(self, webhook_id: int, **fields: Any) -> dict[str, Any]:
        with self.effect("PATCH webhook"):
            [row] = [row for row in self.hooks if row["id"] == webhook_id]
            row |= fields
        return row

    def delete_webhook(self, webhook_id: int) -> None:
        with self.effect("DELETE webhook"):
            self.hooks = [row for row in self.hooks if row["id"] != webhook_id]

    def ml_backends(self, project_id: int) -> list[dict[str, Any]]:
        self._called("ml_backends", project_id)
        return [dict(row) for row in self.backends]

    def delete_ml_backend(self, backend_id: int) -> None:
        with self.effect("DELETE backend"):
            [row] = [row for row in self.backends if row["id"] == backend_id]
            self.backends.remove(row)
            if self.fields["model_version"] == row["title"]:
                self.fields["model_version"] = ""

    def _called(self, name: str, project_id: int) -> None:
        self.calls[name] += 1
        if self.faults.down is not None:
            raise self.faults.down
        if project_id != self.number or self.gone:
            raise NotFoundInLabelStudio(f"no project {project_id}")

    def _matching(self, filters: Sequence[Filter]) -> Iterator[SimulatedTask]:
        for task in sorted(self.rows.values(), key=lambda row: row.id):
            if all(self._meets(task, condition) for condition in filters):
                yield task

    def _meets(self, task: SimulatedTask, condition: Filter) -> bool:
        value, operator = condition["value"], condition["operator"]
        ours = {
            "id": task.id,
            "is_labeled": self.is_labeled(task),
            "updated_at": text_of(task.updated_at),
            "total_annotations": task.submitted,
            "cancelled_annotations": task.cancelled,
        }.get(condition["filter"].removeprefix("filter:tasks:"))
        if operator == "in":
            return bool(value["min"] <= ours <= value["max"])
        if ours is None or operator not in ("equal", "greater"):
            raise LabelStudioUnreachable(f"500 Server Error: {condition}")
        return bool(ours == value if operator == "equal" else ours > value)

    def _shown(
        self, task: SimulatedTask, include: Sequence[str], *, annotations: bool
    ) -> dict[str, Any]:
        known: dict[str, Any] = {
            "id": task.id,
            "data": task.data,
            "updated_at": text_of(task.updated_at),
            "is_labeled": self.is_labeled(task),
            "total_annotations": task.submitted,
            "cancelled_annotations": task.cancelled,
        }
        if annotations:
            known["annotations"] = [
                {name: row[name] for name in ANNOTATION_FIELDS} for row in task.annotations
            ]
        return {name: known[name] for name in ("id", *include) if name in known}

    def _is_valid(self, prediction: Mapping[str, Any]) -> bool:
        config = label_config.parse(self.fields["label_config"])
        whole = 0 <= prediction["score"] <= 1
        return whole and not (prediction["result"] and config.validate(prediction))

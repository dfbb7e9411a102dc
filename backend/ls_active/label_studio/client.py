"""The REST calls of Label Studio that the service needs, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self

import httpx

from ls_active.errors import NotFoundInLabelStudio
from ls_active.label_studio.connections import LabelStudioConnections
from ls_active.label_studio.http import LabelStudioHttp
from ls_active.label_studio.query import (
    ANNOTATION_FIELDS,
    Filter,
    Page,
    Task,
    TaskPages,
    id_after,
    id_between,
    labeled,
    to_query,
    updated_after,
    with_annotations,
    with_skips,
)

__all__ = [
    "ANNOTATION_FIELDS",
    "Filter",
    "Identity",
    "LabelStudioClient",
    "Page",
    "Project",
    "Task",
    "TaskPages",
    "id_after",
    "id_between",
    "labeled",
    "updated_after",
    "with_annotations",
    "with_skips",
]

BULK_TIMEOUT = 300.0
"""Seconds for what Label Studio does row by row: deleting 10 000 predictions takes it 45 s."""


@dataclass(frozen=True)
class Project:
    """A project as Label Studio describes it.

    ``model_version`` is empty where Label Studio says ``null``: both make it serve at random.
    """

    id: int
    uid: str
    title: str
    label_config: str
    model_version: str
    sampling: str
    skip_queue: str
    maximum_annotations: int
    overlap_cohort_percentage: int
    show_overlap_first: bool
    show_ground_truth_first: bool
    show_collab_predictions: bool
    task_number: int
    total_annotations_number: int
    skipped_annotations_number: int
    ground_truth_number: int
    total_predictions_number: int

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Project:
        """Read a project from Label Studio's answer."""
        created = datetime.fromisoformat(body["created_at"])
        known = {name: body[name] for name in cls.__dataclass_fields__ if name in body}
        computed = {
            # As Label Studio itself makes it for /setup and /predict.
            "uid": f"{body['id']}.{int(created.timestamp())}",
            "model_version": body["model_version"] or "",
        }
        return cls(**known | computed)


@dataclass(frozen=True)
class Identity:
    """Whom the key belongs to, and which Label Studio says so."""

    user_id: int
    email: str
    version: str


class LabelStudioClient(LabelStudioConnections):
    """Label Studio through its REST API; every method raises the errors of `LabelStudioHttp.call`.

    Parameters
    ----------
    url, api_key, timeout, retries, transport
        See `LabelStudioHttp`.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        timeout: float = 30.0,
        retries: int = 2,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.http = LabelStudioHttp(
            url, api_key, timeout=timeout, retries=retries, transport=transport
        )

    @property
    def url(self) -> str:
        """Where Label Studio answers, without a slash at the end."""
        return self.http.url

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def version(self) -> str:
        """Return the release of Label Studio; needs no key."""
        return str(self.http.json("GET", "/api/version/")["release"])

    def check(self) -> Identity:
        """Return whom the key belongs to, or raise what is wrong with address or key."""
        version = self.version()
        user = self.http.json("GET", "/api/current-user/whoami")
        return Identity(user["id"], user["email"], version)

    # Projects

    def project(self, project_id: int) -> Project:
        """Return a project."""
        return Project.of(self.http.json("GET", f"/api/projects/{project_id}"))

    def projects(self) -> list[Project]:
        """Return every project that the key may see."""
        found: list[Project] = []
        while True:
            params = {"page": len(found) // 100 + 1, "page_size": 100}
            body = self.http.json("GET", "/api/projects", params=params)
            found += map(Project.of, body["results"])
            if len(found) >= body["count"] or not body["results"]:
                return found

    def create_project(self, title: str, label_config: str, **fields: Any) -> Project:
        """Create a project."""
        body = {"title": title, "label_config": label_config} | fields
        created = self.http.json("POST", "/api/projects", body=body)
        return self.project(created["id"])  # the first answer has no counts

    def update_project(self, project_id: int, **fields: Any) -> Project:
        """Change fields of a project and return it.

        Label Studio accepts a ``model_version`` only if a prediction or a connected backend has
        that name, and empties it when ``show_collab_predictions`` is switched off without one.
        It answers us with the webhook PROJECT_UPDATED, too.
        """
        return Project.of(self.http.json("PATCH", f"/api/projects/{project_id}", body=fields))

    def delete_project(self, project_id: int) -> None:
        """Delete a project with all it holds."""
        self.http.json("DELETE", f"/api/projects/{project_id}", timeout=BULK_TIMEOUT)

    # Tasks and annotations

    def tasks(
        self,
        project_id: int,
        *,
        filters: Sequence[Filter] = (),
        include: Sequence[str] = ("id", "data"),
        fields: Literal["task_only", "all"] = "task_only",
        page_size: int = 1000,
        after_id: int = 0,
    ) -> TaskPages:
        """Read tasks that match every filter, in order of id, as pages (lists of dicts).

        Annotations come only with ``fields="all"`` and ``"annotations"`` in `include`, and then
        with `ANNOTATION_FIELDS`. Data is as stored, without addresses of Label Studio's proxy in
        it: as /predict receives it.
        """
        # The list of wanted fields is applied to the annotations as well.
        nested = ANNOTATION_FIELDS if "annotations" in include else ()
        params = {
            "project": project_id,
            "fields": fields,
            "include": ",".join(dict.fromkeys(["id", *include, *nested])),
            "page_size": page_size,
            "resolve_uri": False,
        }

        def fetch(last_id: int) -> Page:
            query = to_query([*filters, id_after(last_id)])
            return Page.of(self.http.call("GET", "/api/tasks", params=params | {"query": query}))

        return TaskPages(fetch, after_id)

    def first_tasks(self, project_id: int, most: int = 20) -> list[Task]:
        """Return a few tasks with their data, those with the lowest ids."""
        pages = self.tasks(project_id, page_size=most)
        return next(iter(pages), [])

    def totals(self, project_id: int, *filters: Filter) -> Page:
        """Return how many tasks, annotations and predictions match (and at most one task)."""
        params = {
            "project": project_id,
            "include": "id",
            "page_size": 1,
            "query": to_query(filters),
        }
        return Page.of(self.http.call("GET", "/api/tasks", params=params))

    def count(self, project_id: int, *filters: Filter) -> int:
        """Return how many tasks match every filter."""
        return self.totals(project_id, *filters).total

    def import_tasks(self, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> list[int]:
        """Create tasks (``{"data": …}``) and return their ids."""
        params = {"return_task_ids": True}
        path = f"/api/projects/{project_id}/import"
        body = self.http.json("POST", path, params=params, body=tasks, timeout=BULK_TIMEOUT)
        return [int(task_id) for task_id in body["task_ids"]]

    def next_task(self, project_id: int) -> Task | None:
        """Return the task that the key's user is asked next, ``None`` if none is left."""
        try:
            return dict(self.http.json("GET", f"/api/projects/{project_id}/next"))
        except NotFoundInLabelStudio:
            self.project(project_id)  # the same 404 means that the project is gone
            return None

    def annotate(
        self, task_id: int, result: Sequence[Mapping[str, Any]], **fields: Any
    ) -> dict[str, Any]:
        """Submit an annotation in the name of the key's user."""
        path = f"/api/tasks/{task_id}/annotations/"
        return dict(self.http.json("POST", path, body={"result": result} | fields))

    # Predictions

    def import_predictions(self, project_id: int, predictions: Sequence[Mapping[str, Any]]) -> int:
        """Create predictions in one request and return how many there are now.

        Label Studio drops invalid ones without an error: compare with what was sent, and with
        `prediction_counts`. One unknown task id refuses them all.

        Raises
        ------
        ValueError
            If a number is not finite.
        """
        path = f"/api/projects/{project_id}/import/predictions"
        body = self.http.json("POST", path, body=predictions, timeout=BULK_TIMEOUT)
        return int(body["created"])

    def prediction_counts(self, project_id: int) -> dict[str, int]:
        """Return how many predictions each model version has.

        The project's own ``model_version`` is listed even with none.
        """
        body = self.http.json("GET", f"/api/projects/{project_id}/model-versions/")
        return {str(version): int(count) for version, count in body.items()}

    def delete_model_version(self, project_id: int, version: str) -> int:
        """Delete all predictions of a version and return how many; 0 for an unknown one.

        If `version` is the project's current one, or if that is a backend's title, Label Studio
        empties ``model_version`` and serves at random. Annotators wait meanwhile (some 5 s for a
        thousand).
        """
        path = f"/api/projects/{project_id}/model-versions/"
        body = {"model_version": version}
        answer = self.http.json("DELETE", path, body=body, timeout=BULK_TIMEOUT)
        return int(answer["deleted_predictions"])

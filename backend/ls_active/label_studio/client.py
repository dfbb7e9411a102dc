"""The REST calls of Label Studio that the service needs, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self

import httpx

from ls_active.errors import NotFoundInLabelStudio
from ls_active.label_studio.connections import LabelStudioConnections
from ls_active.label_studio.http import LabelStudioHttp
from ls_active.label_studio.project import Identity, Project
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
        return self.http.read(lambda said: str(said.json()["release"]), "GET", "/api/version/")

    def check(self) -> Identity:
        """Return whom the key belongs to, or raise what is wrong with address or key."""
        version = self.version()
        return self.http.read(
            lambda said: Identity.of(said.json(), version), "GET", "/api/current-user/whoami"
        )

    # Projects

    def project(self, project_id: int) -> Project:
        """Return a project."""
        return self.http.read(Project.read, "GET", f"/api/projects/{project_id}")

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
        path = f"/api/projects/{project_id}"
        return self.http.read(Project.read, "PATCH", path, body=fields)

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
            page = params | {"query": query}
            return self.http.read(Page.of, "GET", "/api/tasks", params=page)

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
        return self.http.read(Page.of, "GET", "/api/tasks", params=params)

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
        return self.http.read(
            lambda answer: int(answer.json()["created"]),
            "POST", path, body=predictions, timeout=BULK_TIMEOUT,
        )  # fmt: skip

    def prediction_counts(self, project_id: int) -> dict[str, int]:
        """Return how many predictions each model version has.

        The project's own ``model_version`` is listed even with none.
        """
        path = f"/api/projects/{project_id}/model-versions/"
        return self.http.read(_counts, "GET", path)

    def delete_model_version(self, project_id: int, version: str) -> int:
        """Delete all predictions of a version and return how many; 0 for an unknown one.

        If `version` is the project's current one, or if that is a backend's title, Label Studio
        empties ``model_version`` and serves at random. Annotators wait meanwhile (some 5 s for a
        thousand).
        """
        path = f"/api/projects/{project_id}/model-versions/"
        body = {"model_version": version}
        return self.http.read(
            lambda answer: int(answer.json()["deleted_predictions"]),
            "DELETE", path, body=body, timeout=BULK_TIMEOUT,
        )  # fmt: skip


def _counts(answer: httpx.Response) -> dict[str, int]:
    return {str(version): int(count) for version, count in answer.json().items()}

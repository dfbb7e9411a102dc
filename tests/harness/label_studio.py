"""A real Label Studio, its users, and what they do in its web page, replayed over HTTP."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from ls_active.demo.studio import VERSION, Installation, Studio, ensure_label_studio
from ls_active.label_studio.client import LabelStudioClient, Task
from ls_active.settings import plain_environment
from tests.harness.postgresql import cluster
from tests.harness.stack import PATIENCE

PASSWORD = "correct-horse-battery"


@cache
def installation() -> Installation:
    """Return Label Studio, installed and migrated on first use (minutes, once a machine).

    ``LABEL_STUDIO_VENV`` names a virtual environment that has it already, in whatever release;
    ``LABEL_STUDIO_RELEASE`` another release than the usual one to install.
    """
    venv = os.environ.get("LABEL_STUDIO_VENV")  # noqa: TID251 - of the tests, not of the service
    release = os.environ.get("LABEL_STUDIO_RELEASE")  # noqa: TID251 - so is this
    return ensure_label_studio(
        print,
        cache_dir=Path("~/.cache/ls-active"),
        base_env=plain_environment(),
        venv=Path(venv) if venv else None,
        version=release or VERSION,
    )


def label_studio_venv() -> Path:
    """Return the virtual environment of Label Studio, made if need be."""
    return installation().venv


@contextmanager
def label_studio(
    data_dir: Path, *, port: int = 0, env: Mapping[str, str] | None = None
) -> Iterator[Studio]:
    """Run a Label Studio in `data_dir`; one that is there already goes on as it was.

    On SQLite, or where ``LABEL_STUDIO_DATABASE=postgresql`` is set, on a PostgreSQL of our own.
    """
    environment = {**_patience(), **_database(data_dir), **(env or {})}
    with Studio.start(installation(), data_dir, port=port, env=environment) as studio:
        yield studio


def _patience() -> dict[str, str]:
    """Return how long Label Studio waits for us: as it does by itself, times our patience."""
    seconds = {"ML_CONNECTION_TIMEOUT": 1, "ML_TIMEOUT_HEALTH": 1, "ML_TIMEOUT_SETUP": 3}
    return {name: str(value * PATIENCE) for name, value in seconds.items()}


def _database(data_dir: Path) -> dict[str, str]:
    kind = os.environ.get("LABEL_STUDIO_DATABASE", "sqlite")  # noqa: TID251 - of the tests as well
    assert kind in ("sqlite", "postgresql"), f"LABEL_STUDIO_DATABASE: no {kind!r} here"
    return cluster().database_for(installation(), data_dir) if kind == "postgresql" else {}


# Users and their keys


def add_user(studio: Studio, email: str) -> str:
    """Sign up a second user and return their legacy token."""
    with httpx.Client(base_url=studio.url) as browser:
        _submit_form(browser, "/user/signup/", email, PASSWORD)
        answer = browser.get("/api/current-user/token").raise_for_status()
        return str(answer.json()["token"])


@cache
def personal_access_token(studio: Studio, email: str = "", password: str = "") -> str:
    """Return the personal access token of a user, the administrator unless told otherwise.

    Made once: Label Studio allows one at a time for each user.
    """
    with httpx.Client(base_url=studio.url) as browser:
        _submit_form(browser, "/user/login/", email or studio.username, password or studio.password)
        headers = {"X-CSRFToken": browser.cookies["csrftoken"]}
        answer = browser.post("/api/token/", json={}, headers=headers).raise_for_status()
        return str(answer.json()["token"])


def allow_legacy_tokens(client: LabelStudioClient, allowed: bool) -> None:
    """Switch legacy tokens for the organization, as its owner does in the settings."""
    client.http.json("POST", "/api/jwt/settings", body={"legacy_api_tokens_enabled": allowed})


def _submit_form(browser: httpx.Client, path: str, email: str, password: str) -> None:
    browser.get(path).raise_for_status()
    form = {
        "email": email,
        "password": password,
        "csrfmiddlewaretoken": browser.cookies["csrftoken"],
    }
    answer = browser.post(path, data=form)
    assert answer.is_redirect, f"{path} did not accept {email}"


# What annotators do


class Annotator:
    """Somebody labelling a project of single choices, by the calls that the web page makes.

    Parameters
    ----------
    client : LabelStudioClient
        With the key of this annotator.
    project_id : int
    from_name, to_name : str
        The control and the object tag of the label config.

    Attributes
    ----------
    next_seconds, submit_seconds : list of float
        How long this annotator waited, for every call.
    """

    def __init__(
        self,
        client: LabelStudioClient,
        project_id: int,
        *,
        from_name: str = "topic",
        to_name: str = "text",
    ) -> None:
        self.client = client
        self.project_id = project_id
        self.next_seconds: list[float] = []
        self.submit_seconds: list[float] = []
        self._names = {"from_name": from_name, "to_name": to_name}

    def next(self) -> Task | None:
        """Ask for a task; None if none is left."""
        started = time.perf_counter()
        task = self.client.next_task(self.project_id)
        self.next_seconds.append(time.perf_counter() - started)
        return task

    def submit(self, task_id: int, choice: str, **fields: Any) -> dict[str, Any]:
        """Submit a choice."""
        return self._annotate(task_id, self.result(choice), fields)

    def skip(self, task_id: int) -> dict[str, Any]:
        """Skip a task."""
        return self._annotate(task_id, [], {"was_cancelled": True})

    def label_with(self, truth: Callable[[Task], str], n: int) -> list[Task]:
        """Label up to `n` tasks as they are served, and return them in that order."""
        served: list[Task] = []
        while len(served) < n and (task := self.next()) is not None:
            self.submit(task["id"], truth(task))
            served.append(task)
        return served

    def update(self, annotation_id: int, choice: str) -> dict[str, Any]:
        """Change the choice of an annotation; a skipped one becomes a label."""
        return self._patch(annotation_id, result=self.result(choice), was_cancelled=False)

    def unskip(self, annotation_id: int) -> None:
        """Take a skip back: the page turns it into a draft."""
        path = f"/api/annotations/{annotation_id}/convert-to-draft"
        self.client.http.json("POST", path, body={})

    def set_ground_truth(self, annotation_id: int, yes: bool) -> dict[str, Any]:
        """Press the star of an annotation."""
        return self._patch(annotation_id, ground_truth=yes)

    def delete(self, annotation_id: int) -> None:
        """Delete one annotation."""
        self.client.http.json("DELETE", f"/api/annotations/{annotation_id}")

    def result(self, choice: str) -> list[dict[str, Any]]:
        """Return the regions that stand for a choice."""
        return [{**self._names, "type": "choices", "value": {"choices": [choice]}}]

    def _annotate(
        self, task_id: int, result: Sequence[Mapping[str, Any]], fields: Mapping[str, Any]
    ) -> dict[str, Any]:
        started = time.perf_counter()
        body = {"lead_time": 1.5, "project": self.project_id, **fields}
        annotation = self.client.annotate(task_id, result, **body)
        self.submit_seconds.append(time.perf_counter() - started)
        return annotation

    def _patch(self, annotation_id: int, **fields: Any) -> dict[str, Any]:
        path = f"/api/annotations/{annotation_id}"
        return dict(self.client.http.json("PATCH", path, body=fields))


# What administrators do


def data_manager_action(
    client: LabelStudioClient, project_id: int, action: str, task_ids: Sequence[int]
) -> dict[str, Any]:
    """Run an action of the Data Manager on selected tasks.

    Among them ``delete_tasks``, ``delete_tasks_annotations`` and ``retrieve_tasks_predictions``.
    """
    body = {"ordering": [], "selectedItems": {"all": False, "included": list(task_ids)}}
    params = {"id": action, "project": project_id}
    answer = client.http.json("POST", "/api/dm/actions", params=params, body=body, timeout=300)
    return dict(answer)


def start_training(client: LabelStudioClient, backend_id: int) -> None:
    """Press "Start training"."""
    client.http.json("POST", f"/api/ml/{backend_id}/train", body={})

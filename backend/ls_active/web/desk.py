"""What the web asks for: the service's answers, the job desk's promises, and what an event means.

Protocols, so that the web needs neither Redis nor a store to be tested.
"""

from __future__ import annotations

from typing import Protocol

from ls_active import schemas
from ls_active.dashboard.steering import Steering
from ls_active.engine.figures import QueueFigures
from ls_active.errors import NotFound
from ls_active.records.project import ProjectStatus
from ls_active.web.predict_pool import Predictor


class Predictions(Predictor, Protocol):
    """What the app asks of `service.Service`."""

    def versions(self, uid: str | None) -> list[str]:
        """Return the version names of a project, oldest first."""
        ...

    def projects(self) -> list[str]:
        """Return the uids of all projects known here."""
        ...

    def status(self, uid: str) -> ProjectStatus:
        """Return what the last job said about a project."""
        ...


class Desk(Steering, Protocol):
    """What the app asks of `JobDesk`. It blocks, half a second at most: then `QueueDown`."""

    def setup(self, request: schemas.SetupRequest, own_url: str) -> str:
        """Take note of a connection and return the version to answer with."""
        ...

    def hint(self, event: schemas.WebhookEvent) -> bool:
        """Note that something changed; False: nothing that matters."""
        ...

    def start_training(self, uid: str) -> str:
        """Ask for a new version; return the id of the job that will make it."""
        ...

    def webhook_secret(self, uid: str) -> str:
        """Return what the project's webhook must carry."""
        ...

    def knows(self, uid: str) -> bool:
        """Whether the project was ever connected here."""
        ...

    def figures(self) -> QueueFigures:
        """Return the state of the queue."""
        ...


def react(jobs: Desk, event: schemas.WebhookEvent) -> dict[str, str]:
    """Turn an event into a hint or a training job, and say which. Blocking.

    Raises
    ------
    NotFound
        The project was never connected here, or is another one under a reused id.
    """
    uid = event.uid
    if not event.known or uid is None:
        return {"status": "ignored", "detail": f"nothing to do for {event.action[:40]!r}"}
    if not jobs.knows(uid):
        raise NotFound(
            f"no project {uid} is connected here; connect it in Label Studio under "
            "Settings > Model, or delete this webhook there"
        )
    if event.action == schemas.Action.START_TRAINING:
        return {"status": "training", "job": jobs.start_training(uid)}
    return {"status": "accepted" if jobs.hint(event) else "ignored"}

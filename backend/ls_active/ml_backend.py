"""Our model under the contract of Label Studio's SDK, for teams that host backends with it.

In a folder with a ``model.py`` of its own::

    from label_studio_ml.api import init_app
    from ls_active.ml_backend import ActiveLearningModel, mount

    app = mount(init_app(model_class=ActiveLearningModel))

The only file that imports `label_studio_ml`, and Flask with it: our own server needs neither.
"""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Sequence
from functools import cache
from typing import Any

from flask import Flask, Response, jsonify, request
from label_studio_ml.model import LabelStudioMLBase
from werkzeug.exceptions import HTTPException

from ls_active import schemas
from ls_active.errors import BackendError, NotFound
from ls_active.job_desk import JobDesk
from ls_active.labeling import label_config as label_configs
from ls_active.service import Service
from ls_active.settings import get_settings
from ls_active.web import predict_pool
from ls_active.web.auth import Guard
from ls_active.web.desk import react

logger = logging.getLogger(__name__)


@cache
def _service() -> Service:
    """Return the service of this process: the SDK makes a new model a request."""
    return Service(get_settings())


@cache
def _desk() -> JobDesk:
    return JobDesk(get_settings())


class ActiveLearningModel(LabelStudioMLBase):  # type: ignore[misc]
    """The current model of a project, as an SDK backend.

    Works on the base of label-studio-ml 1.0.9 and on that of 2.x, which names the project.

    Parameters
    ----------
    project_id : str, optional
        Id or full uid; 1.0.9 does not tell, and the tasks do.
    label_config : str, optional
        The project's label config.
    **kwargs
        Whatever else 1.0.9 passes along.
    """

    def __init__(
        self, project_id: str | None = None, label_config: str | None = None, **kwargs: Any
    ) -> None:
        if label_config:
            # Before the SDK's parser sees it, which follows DTDs.
            label_configs.parse(label_config)
        self._project = project_id
        self._xml = label_config
        if "project_id" in inspect.signature(LabelStudioMLBase.__init__).parameters:
            super().__init__(project_id=project_id, label_config=label_config)
        else:
            super().__init__(label_config=label_config, **kwargs)

    def setup(self) -> None:
        """Tell 2.x the version, which it answers /setup with."""
        self.set("model_version", _service().model_version(_uid(self._project)))

    def predict(
        self,
        tasks: Sequence[Any],
        context: dict[str, Any] | None = None,
        **kwargs: Any,  # noqa: ARG002 - login and password of the project's storage
    ) -> list[dict[str, Any]]:
        """Return one prediction a task, in order."""
        message = schemas.PredictRequest(
            tasks=list(tasks),
            project=_uid(self._project) or _uid(_project_of(tasks)),
            label_config=self._xml,
            params={"context": context},
        )
        return [prediction.model_dump() for prediction in _service().predict(message).results]

    def fit(
        self,
        *args: Any,
        event: str | None = None,
        data: dict[str, Any] | None = None,
        **kwargs: Any,  # noqa: ARG002 - 1.0.9: a work folder and an id for it
    ) -> dict[str, str]:
        """Note that something changed, and return at once: 2.x calls this inside the webhook.

        2.x calls ``fit(event, data)``, 1.0.9 ``fit(tasks, event=event, data=data)``.
        """
        if event is None and len(args) > 1:
            event, data = args[:2]
        if event is None:
            return {}
        body = json.dumps({**(data or {}), "action": event}).encode()
        return react(_desk(), schemas.parse(schemas.WebhookEvent, body))


def mount(app: Flask) -> Flask:
    """Cure what the server of label-studio-ml 1.0.9 does to Label Studio.

    It answers /setup with a version that is not ours, loses START_TRAINING, has no
    ``GET /versions``, writes webhooks with their invite token to disk, logs bodies with their
    access token, and answers errors with tracebacks; its /train writes what anybody sends into a
    folder of the sender's choice. Call it once, right after ``init_app``.
    """
    theirs = [
        name
        for name, view in app.view_functions.items()
        if view.__module__.startswith("label_studio_ml.")
    ]
    ours = {"_predict": _predict, "_setup": _setup, "webhook": _webhook, "health": _health}
    app.view_functions |= dict.fromkeys(theirs, _nothing) | ours
    app.add_url_rule("/versions", "list_versions", _versions, methods=["GET"])
    app.before_request_funcs.clear()
    app.after_request_funcs.clear()
    app.before_request(_check_credentials)
    app.register_error_handler(Exception, _on_error)
    return app


def _nothing() -> Response:
    raise NotFound(f"Label Studio does not call {request.path}, and nothing is done there")


def _health() -> Response:
    return jsonify(status="UP", model_class=ActiveLearningModel.__name__)


def _predict() -> Response:
    reply = predict_pool.answer(_service(), request.get_data())
    return Response(reply.body, reply.status, content_type="application/json")


def _setup() -> Response:
    message = schemas.parse(schemas.SetupRequest, request.get_data())
    own_url = get_settings().public_url or request.host_url.rstrip("/")
    return jsonify(model_version=_desk().setup(message, own_url))


def _webhook() -> Response:
    event = schemas.parse(schemas.WebhookEvent, request.get_data())
    secret = _desk().webhook_secret(event.uid) if event.uid else None
    Guard(get_settings()).check_webhook(_headers(), secret)
    return jsonify(react(_desk(), event))


def _versions() -> Response:
    projects = _service().projects()
    if len(projects) != 1:
        raise NotFound(f"GET /versions names no project, and {len(projects)} are known here")
    return jsonify(versions=_service().versions(projects[0]))


def _check_credentials() -> None:
    guard = Guard(get_settings())
    if request.path == "/webhook":
        guard.may_be_webhook(_headers())
    elif request.path != "/":
        guard.check(_headers())


def _headers() -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _on_error(error: Exception) -> Response:
    status, code, detail = 500, BackendError.code, schemas.UNEXPECTED
    if isinstance(error, BackendError):
        status, code, detail = error.status, error.code, str(error)
    elif isinstance(error, HTTPException):
        status, code, detail = error.code or 500, error.name.lower().replace(" ", "_"), error.name
    else:
        logger.error("%s %s failed", request.method, request.path, exc_info=error)
    return Response(schemas.problem(code, detail), status, content_type="application/json")


def _project_of(tasks: Sequence[Any]) -> str | None:
    """Return the project that the tasks themselves name."""
    named = [task.get("project") for task in tasks if isinstance(task, dict)]
    return str(named[0]) if named and named[0] is not None else None


def _uid(project: str | int | None) -> str | None:
    """Return the full uid of a project known here; of those that reuse its id, the newest."""
    known = [uid for uid in _service().projects() if str(project) in {uid, uid.partition(".")[0]}]
    return max(known, key=lambda uid: int(uid.partition(".")[2]), default=None)

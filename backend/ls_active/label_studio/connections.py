"""Who calls whom: the webhooks and the ML backends of a project."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import httpx

from ls_active.label_studio.http import LabelStudioHttp


class LabelStudioConnections:
    """The part of `LabelStudioClient` that reads and changes connections."""

    http: LabelStudioHttp

    def webhooks(self, project_id: int) -> list[dict[str, Any]]:
        """Return the webhooks of a project."""
        return self.http.read(_rows, "GET", "/api/webhooks/", params={"project": project_id})

    def create_webhook(
        self,
        project_id: int,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        actions: Iterable[str] = (),
    ) -> dict[str, Any]:
        """Create a webhook for `actions`, or for everything where there are none."""
        wanted = list(actions)
        body = {
            "project": project_id,
            "url": url,
            "headers": dict(headers or {}),
            "send_payload": True,
            "send_for_all_actions": not wanted,
            "actions": wanted,
        }
        return self.http.read(_row, "POST", "/api/webhooks/", body=body)

    def update_webhook(self, webhook_id: int, **fields: Any) -> dict[str, Any]:
        """Change fields of a webhook; Label Studio clears ``actions`` unless they are given."""
        return self.http.read(_row, "PATCH", f"/api/webhooks/{webhook_id}/", body=fields)

    def delete_webhook(self, webhook_id: int) -> None:
        """Delete a webhook."""
        self.http.read(_nothing, "DELETE", f"/api/webhooks/{webhook_id}/")

    def ml_backends(self, project_id: int) -> list[dict[str, Any]]:
        """Return the backends connected to a project.

        Label Studio calls /health and /setup of each of them, ours included, before it answers.
        """
        return self.http.read(_rows, "GET", "/api/ml", params={"project": project_id})

    def connect_ml_backend(
        self,
        project_id: int,
        url: str,
        title: str,
        *,
        extra_params: Mapping[str, Any] | str | None = None,
        basic_auth: tuple[str, str] | None = None,
    ) -> dict[str, Any]:
        """Connect a backend, as "Connect Model" does; Label Studio calls it before it answers."""
        body: dict[str, Any] = {"project": project_id, "url": url, "title": title}
        if extra_params is not None:
            body["extra_params"] = extra_params
        if basic_auth is not None:
            user, password = basic_auth
            body |= {
                "auth_method": "BASIC_AUTH",
                "basic_auth_user": user,
                "basic_auth_pass": password,
            }
        return self.http.read(_row, "POST", "/api/ml", body=body)

    def delete_ml_backend(self, backend_id: int) -> None:
        """Disconnect a backend; its webhook and its predictions stay.

        A ``model_version`` that is its title is emptied by Label Studio, but not if its process
        has deleted a project before (that switches the handler off): set it yourself.
        """
        self.http.read(_nothing, "DELETE", f"/api/ml/{backend_id}")


def _rows(answer: httpx.Response) -> list[dict[str, Any]]:
    said = answer.json()
    if not isinstance(said, list):
        # An empty object, read as no rows, would mean that ours was deleted.
        raise TypeError("no list")
    return list(map(_checked, said))


def _row(answer: httpx.Response) -> dict[str, Any]:
    return _checked(answer.json())


def _checked(row: Mapping[str, Any]) -> dict[str, Any]:
    # Everybody who asks for rows goes by these two.
    return {**row, "id": int(row["id"]), "url": str(row["url"])}


def _nothing(answer: httpx.Response) -> None:
    if answer.content and answer.json() is not None:
        raise ValueError("a deletion is answered with nothing: somebody else answered this one")

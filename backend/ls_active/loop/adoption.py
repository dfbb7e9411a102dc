"""Take a project over, keep it so, and give it back as it was."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from active_learning import audit
from active_learning.types import Reason
from ls_active.errors import LabelStudioRejected
from ls_active.label_studio import query
from ls_active.label_studio.client import Project
from ls_active.labeling.label_config import LabelConfig
from ls_active.labeling.plan import Plan
from ls_active.loop.publication import Publisher, unasked
from ls_active.loop.workshop import Workshop, find_project
from ls_active.records.project import Connection, State
from ls_active.records.secret import SECRET_HEADER, webhook_secret

logger = logging.getLogger(__name__)

SAMPLING = "Uncertainty sampling"

BACKENDS_EVERY = 600.0
"""Seconds between looks at the backends: that one call makes Label Studio call us back."""

CONTEST_PAUSE = 600.0
"""Seconds in which what somebody else changed is put back at most once."""

SETTLING = 60.0
"""Seconds after adopting in which Label Studio itself may still write its title over ours."""


def find_backend(
    rows: list[dict[str, Any]], own_url: str, known: int | None = None
) -> dict[str, Any] | None:
    """Return the row of Label Studio's backends that is us.

    The one `known` as ours, else the one at our address, else, before any was known, the only one
    at our host. Never another: it would get our webhook's secret, and be deleted when we leave.
    """
    same = [row for row in rows if row["id"] == known]
    here = [row for row in rows if row["url"].rstrip("/") == own_url.rstrip("/")]
    near = [row for row in rows if urlsplit(row["url"]).netloc == urlsplit(own_url).netloc]
    only = near if known is None and len(near) == 1 else []
    return next(iter([*same, *here, *only]), None)


class Adoption:
    """What makes a project serve our queue, apart from the queue.

    Parameters
    ----------
    shop : Workshop
    connection : Connection
    """

    def __init__(self, shop: Workshop, connection: Connection) -> None:
        self._shop = shop
        self._id = connection.project_id
        self.connection = connection
        self.puts_back = False

    def look_at_backends(self, *, at_once: bool = False) -> bool:
        """Read the project's backends now and then; return False when ours is gone.

        Options come from here, not from /setup: that body could be anybody's.
        """
        known = self.connection
        if not known.own_url:
            return True
        if not at_once and time.time() - known.backends_seen_at < BACKENDS_EVERY:
            return True
        rows = self._shop.client.ml_backends(self._id)
        row = find_backend(rows, known.own_url, known.backend)
        if row is None:
            return False
        given = known.but(extra_params=row["extra_params"], bad_options="")
        problem = given.options(self._shop.settings.options)[1]
        if problem and known.adopted:
            logger.warning("project %s: its options stay as they were: %s", known.uid, problem)
            given = known.but(bad_options=problem)
        moved = known.adopted and row["url"].rstrip("/") != known.own_url
        if moved:
            self._delete_webhooks()
        self._change(
            # Only now: a look that failed is taken again by the next run.
            backends_seen_at=time.time(),
            webhook=known.webhook and not moved,
            own_url=row["url"].rstrip("/"),
            backend=row["id"],
            titles=tuple(item["title"] for item in rows),
            extra_params=given.extra_params,
            bad_options=given.bad_options,
        )
        if known.adopted and not self.connection.webhook:
            # Label Studio makes a webhook with a new row only, not for a row's new address.
            self.mend_webhook()
        return True

    def adopt(self, project: Project, config: LabelConfig, plan: Plan) -> None:
        """Record what will be overwritten, set sampling and webhook, publish a provisional head."""
        found = {"sampling": project.sampling, "model_version": project.model_version}
        self._change(original=self.connection.original or found, adopted_at=time.time())
        self._set_sampling(project)
        self.mend_webhook()
        self._publish_provisional(config, plan)
        self._change(adopted=True)
        logger.info("project %s (%s): adopted", self._shop.uid, project.title)

    def contested(self, project: Project) -> bool:
        """Say whether somebody else steers the queue; put back what they changed now and then."""
        steered = self._has_published() and not self._is_ours(project.model_version)
        foreign = project.sampling != SAMPLING or steered
        now = time.time()
        if not foreign or now - self.connection.adopted_at < SETTLING:
            self._set_sampling(project)
            return False
        options, _ = self.connection.options(self._shop.settings.options)
        again = now - self.connection.contested_at < CONTEST_PAUSE
        if options.on_contested == "leave" or again:
            return True
        logger.warning(
            "project %s: somebody set sampling %r and model version %r; putting ours back",
            self._shop.uid, project.sampling, project.model_version,
        )  # fmt: skip
        self.puts_back = True
        self._set_sampling(project)
        return False

    def note_contest(self, connection: Connection) -> None:
        """Note that ours was put back: from now on that may not happen again for a while."""
        self.connection = connection
        self._change(contested_at=time.time())

    def mend_webhook(self) -> None:
        """Make Label Studio have exactly one webhook of ours, with its secret."""
        if not self.connection.own_url:
            return
        url = f"{self.connection.own_url}/webhook"
        client, headers = self._shop.client, {SECRET_HEADER: self._secret()}
        rows = [row for row in client.webhooks(self._id) if row["url"].rstrip("/") == url]
        self._shop.check()
        try:
            if not rows:
                client.create_webhook(self._id, url, headers=headers)
            elif rows[0]["headers"] != headers or not rows[0]["is_active"]:
                client.update_webhook(
                    rows[0]["id"], headers=headers, is_active=True, send_payload=True,
                    send_for_all_actions=True,
                )  # fmt: skip
        except LabelStudioRejected as error:
            # A host without a dot, or local addresses are banned: asking carries the loop instead.
            logger.warning("project %s: no webhook, polling instead: %s", self._shop.uid, error)
            self._change(webhook=False)
            return
        for extra in rows[1:]:
            client.delete_webhook(extra["id"])
        self._change(webhook=True)

    def leave(self) -> None:
        """Disconnect the project, if Label Studio shows it, and say so."""
        project = find_project(self._shop.client, self._shop.uid)
        if project is None:
            # What is to be put back stays known: it may only be hidden.
            self._change(active=False, adopted=False)
            self._shop.say(
                State.DISCONNECTED,
                "it is gone from Label Studio, or hidden from our key",
                "if it is still there, give the key's user access to it, and disconnect it again",
            )
            return
        self.disconnect(project)
        self._shop.store.delete(self._shop.uid, "pin")
        self._shop.say(State.DISCONNECTED, "sampling and model version are what they were")

    def disconnect(self, project: Project) -> None:
        """Put back what adopting overwrote, and take away what is ours."""
        client, original = self._shop.client, self.connection.original
        # First: if this ends halfway, no run takes back what was given.
        self._change(active=False)
        self._shop.say(
            State.LEAVING, "giving back what was there", "if it stays so, disconnect it again"
        )
        theirs = project.model_version and not self._is_ours(project.model_version)
        version = project.model_version if theirs else original.get("model_version", "")
        self._remove_backend()
        self._shop.check()
        # Deleting makes Label Studio forget a backend's title: it is put back afterwards.
        client.update_project(self._id, model_version="")
        for name in Publisher(self._shop).stale(2**31):
            self._shop.check()
            client.delete_model_version(self._id, name)
        with suppress(LabelStudioRejected):  # A title, or predictions, that are gone: it stays "".
            client.update_project(self._id, model_version=version)
        if original and project.sampling == SAMPLING:
            client.update_project(self._id, sampling=original["sampling"])
        self._change(adopted=False, original={}, webhook=False)

    # Below: one effect each

    def _remove_backend(self) -> None:
        if not self.connection.own_url:
            return
        client = self._shop.client
        rows = client.ml_backends(self._id)
        row = find_backend(rows, self.connection.own_url, self.connection.backend)
        if row is not None:
            client.delete_ml_backend(row["id"])
        self._delete_webhooks()

    def _delete_webhooks(self) -> None:
        url = f"{self.connection.own_url}/webhook"
        for hook in self._shop.client.webhooks(self._id):
            if hook["url"].rstrip("/") == url:
                self._shop.client.delete_webhook(hook["id"])

    def _set_sampling(self, project: Project) -> None:
        if project.sampling != SAMPLING:
            self._shop.check()
            self._shop.client.update_project(self._id, sampling=SAMPLING)

    def _publish_provisional(self, config: LabelConfig, plan: Plan) -> None:
        """Publish the audit order of the first page of tasks: an honest queue within seconds."""
        options, _ = self.connection.options(self._shop.settings.options)
        waiting = (query.labeled(False), query.without_skips())
        page = next(self._shop.client.tasks(self._id, filters=waiting, include=("id",)), [])
        ids = [task["id"] for task in page]
        order = audit.uniform_order(self._shop.uid, options.seed, ids).argsort()
        content = [unasked(ids[row], Reason.AUDIT, plan) for row in order[: options.head_size]]
        if content:
            Publisher(self._shop).publish(
                0, content, config,
                why="connected", last_id=0, labels=0, provisional=True,
            )  # fmt: skip

    def _has_published(self) -> bool:
        """Say whether there was a queue since adopting; without tasks there is none yet."""
        store, uid = self._shop.store, self._shop.uid
        numbers = store.publications(uid)
        last = store.publication(uid, numbers[-1]) if numbers else None
        return last is not None and last["published_at"] >= self.connection.adopted_at

    def _is_ours(self, model_version: str) -> bool:
        return Publisher(self._shop).claimed(model_version)

    def _secret(self) -> str:
        return webhook_secret(self._shop.settings, self._shop.uid)

    def _change(self, **changes: Any) -> None:
        self.connection = self.connection.but(**changes)
        self.connection.save(self._shop.store)

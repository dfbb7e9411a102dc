"""Tasks as the page lists them: what is asked next, and whose labels are doubted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ls_active import words
from ls_active.dashboard import figures, previews
from ls_active.dashboard.views import Preview, QueueItem, QueueView, Suspect, SuspectsView
from ls_active.errors import BackendError
from ls_active.loop.tabs import newest_evaluation
from ls_active.records.project import Connection, ProjectStatus
from ls_active.records.store import Store
from ls_active.settings import Settings

SHOWN = 12
"""Tasks on a page: what each shows is read from Label Studio."""


class TaskLists:
    """Reads publications and evaluations. Blocking; threads may share it.

    Parameters
    ----------
    settings : Settings
    store : Store
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store

    def data_manager(self, project_id: int) -> str:
        """Return the address of a project in Label Studio; empty where we do not know it."""
        base = self._settings.browser_url
        return f"{base}/projects/{project_id}/data" if base else ""

    def queue(self, status: ProjectStatus, known: Connection, start: int, show: bool) -> QueueView:
        """Return some tasks of the queue as published; with `show`, what they show."""
        number = status.publication.rpartition(".")[2]
        record = self._store.publication(status.uid, int(number)) if number.isdecimal() else None
        if record is None:
            return QueueView("", 0.0, "", 0, [])
        size = len(record["tasks"])
        places = range(start, min(start + SHOWN, size))
        items = [self._item(record, place, known.project_id) for place in places]
        shown, trouble = self._previews(known, [item.task for item in items], show=show)
        items = [replace(item, previews=shown.get(item.task, ())) for item in items]
        return QueueView(
            record["name"], record["published_at"], record.get("why", ""), size, items, start,
            trouble,
        )  # fmt: skip

    def _item(self, record: Mapping[str, Any], place: int, project_id: int) -> QueueItem:
        task, reason = int(record["tasks"][place]), record["reasons"][place]
        return QueueItem(
            place=place + 1,
            task=task,
            url=self._task(project_id, task),
            label=previews.said(record["predictions"][place]),
            confidence=record["confidences"][place],
            reason=reason,
            why=words.REASONS.get(reason, reason),
            shown=record["shown"][place],
        )

    def suspects(self, known: Connection, start: int, show: bool) -> SuspectsView:
        """Return some of the labels that are doubted, the most doubtful first."""
        number, evaluation = newest_evaluation(self._store, known.uid)
        if "suspects" not in evaluation:
            note = figures.NOT_RECORDED if number else "no version was tested yet"
            return SuspectsView(number, 0, [], note=note)
        heads = self._store.manifest(known.uid, number)["heads"]
        found = [
            self._suspect(head["control"], item, known.project_id)
            for head, items in zip(heads, evaluation["suspects"], strict=False)
            for item in items or ()
        ]
        found.sort(key=lambda suspect: -(suspect.score or 0.0))
        items = found[start : start + SHOWN]
        shown, trouble = self._previews(known, [item.task for item in items], show=show)
        items = [replace(item, previews=shown.get(item.task, ())) for item in items]
        note = "" if found else "no label is doubted"
        return SuspectsView(number, len(found), items, start, note, trouble)

    def _suspect(self, control: str, item: Mapping[str, Any], project_id: int) -> Suspect:
        twin = item.get("twin")
        why = f"task {twin} is nearly the same and is labelled otherwise" if twin else ""
        return Suspect(
            task=int(item["task"]),
            url=self._task(project_id, int(item["task"])),
            control=control,
            given=str(item["given"]),
            suggested=str(item["suggested"]),
            score=item.get("score"),
            why=why,
        )

    def _previews(
        self, known: Connection, tasks: Sequence[int], *, show: bool
    ) -> tuple[Mapping[int, Sequence[Preview]], str]:
        if not show:
            return {}, ""
        try:
            return previews.previews_of(self._settings, known.uid, tasks), ""
        except BackendError as error:
            # Tasks by number are better than no page.
            return {}, f"what the tasks show could not be read: {error}"

    def _task(self, project_id: int, task: int) -> str:
        base = self.data_manager(project_id)
        return f"{base}?task={task}" if base else ""

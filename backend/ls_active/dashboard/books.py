"""Everything that is shown, read from the records; nothing here grows with the number of tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from ls_active import words
from ls_active.dashboard import figures, previews
from ls_active.dashboard.comparing import side_by_side
from ls_active.dashboard.running import in_words
from ls_active.dashboard.steering import Steering
from ls_active.dashboard.views import (
    Chart,
    HeadView,
    JobsView,
    Preview,
    ProjectView,
    QueueItem,
    QueueView,
    Suspect,
    SuspectsView,
    VersionView,
)
from ls_active.errors import BackendError, NotFound, QueueDown
from ls_active.ledger import Ledger, VersionLine
from ls_active.loop.gate import Gate
from ls_active.loop.models import ModelShelf
from ls_active.loop.publication import version_name
from ls_active.loop.tabs import newest_evaluation
from ls_active.project import Connection, ProjectStatus
from ls_active.settings import Settings
from ls_active.store import Store

HEAD_SHOWN = 12
"""Tasks on the page of the queue, and of the suspects: each is read from Label Studio."""


class Books:
    """Reads what jobs wrote down. Blocking; threads may share it.

    Parameters
    ----------
    settings : Settings
    desk : Steering
    """

    def __init__(self, settings: Settings, desk: Steering) -> None:
        self.settings = settings
        self.store = Store(settings.data_dir)
        self.desk = desk

    def projects(self) -> list[ProjectView]:
        """Return where all projects stand, those at work first."""
        found = [self.project(uid) for uid in self.store.projects()]
        return sorted(found, key=lambda view: (not view.active, view.number))

    def project(self, uid: str) -> ProjectView:
        """Return where one project stands; raise NotFound if it was never connected."""
        status, connection = self._known(uid)
        word, tone = words.state(status.state)
        error = status.detail if tone == "bad" else ""
        advice = status.advice.get("sentence", "")
        own = {name: getattr(status, name) for name in _SAME}
        return ProjectView(
            **own,
            number=connection.project_id,
            title=status.title or f"project {connection.project_id}",
            url=self._data_manager(connection.project_id),
            words=word,
            tone=tone,
            error=error,
            advice=advice,
            heads=[_head(head) for head in status.heads],
            active=connection.active,
        )

    def charts(self, uid: str) -> list[Chart]:
        """Return the tables behind the charts of a project."""
        status, _ = self._known(uid)
        evaluation = self.store.evaluation(uid, status.version) if status.version else None
        history = self.store.read(uid, "history")
        return figures.charts(status, Ledger.load(self.store, uid), history or {}, evaluation or {})

    def chart(self, uid: str, name: str) -> Chart:
        """Return one chart; raise NotFound if there is none of this name."""
        for chart in self.charts(uid):
            if chart.name == name:
                return chart
        raise NotFound(f"project {uid} has no chart {name[:40]!r}")

    # Versions

    def versions(self, uid: str) -> list[VersionView]:
        """Return the versions, newest first."""
        status, _ = self._known(uid)
        lines = Ledger.load(self.store, uid).versions
        kept = set(self.store.loadable(uid))
        pinned = ModelShelf(self.store, uid).pinned
        held = Gate(self.store, uid).held
        newest = lines[-1].number if lines else 0
        return [
            VersionView(
                **_line(line),
                name=version_name(line.number),
                in_force=line.number == status.version,
                pinned=line.number == pinned,
                kept=line.number in kept,
                newest=line.number == newest,
                gate=held.get(line.number, ""),
            )
            for line in reversed(lines)
        ]

    def compare(self, uid: str, one: int, other: int) -> Chart:
        """Return the figures of two versions side by side."""
        sides = {view.number: view for view in self.versions(uid)}
        missing = [number for number in (one, other) if number not in sides]
        if missing:
            raise NotFound(f"project {uid} has no version {missing[0]}; see the list of versions")
        rows = tuple(side_by_side(sides[one], sides[other]))
        names = ("figure", sides[one].name, sides[other].name)
        verdict = self._verdict(uid, one, other)
        return Chart("compare", f"{names[1]} and {names[2]}", "table", names, rows, says=verdict)

    def _verdict(self, uid: str, one: int, other: int) -> str:
        """Return what was recorded of just these two, if it was."""
        evaluation = self.store.evaluation(uid, max(one, other)) or {}
        if evaluation.get("compared_with") != min(one, other):
            return ""
        found = [item["sentence"] for item in evaluation.get("comparisons") or () if item]
        return " ".join(found)

    # Queue and suspects

    def queue(self, uid: str, *, show: bool = True) -> QueueView:
        """Return the head of the queue; with `show`, what its tasks show."""
        status, connection = self._known(uid)
        number = status.publication.rpartition(".")[2]
        record = self.store.publication(uid, int(number)) if number.isdecimal() else None
        if record is None:
            return QueueView("", 0.0, "", 0, [])
        items = [
            self._item(record, place, connection.project_id)
            for place in range(min(HEAD_SHOWN, len(record["tasks"])))
        ]
        shown, trouble = self._previews(connection, [item.task for item in items], show=show)
        items = [replace(item, previews=shown.get(item.task, ())) for item in items]
        return QueueView(
            record["name"], record["published_at"], record.get("why", ""), len(record["tasks"]),
            items, trouble,
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

    def suspects(self, uid: str, *, show: bool = True) -> SuspectsView:
        """Return the labels that are doubted most."""
        _, connection = self._known(uid)
        number, evaluation = newest_evaluation(self.store, uid)
        if "suspects" not in evaluation:
            return SuspectsView(number, [], figures.NOT_RECORDED)
        heads = self.store.manifest(uid, number)["heads"]
        found = [
            self._suspect(head["control"], item, connection.project_id)
            for head, items in zip(heads, evaluation["suspects"], strict=False)
            for item in items or ()
        ]
        found.sort(key=lambda suspect: -(suspect.score or 0.0))
        first = [suspect.task for suspect in found[:HEAD_SHOWN]]
        shown, trouble = self._previews(connection, first, show=show)
        found = [replace(suspect, previews=shown.get(suspect.task, ())) for suspect in found]
        return SuspectsView(number, found, "" if found else "no label is doubted", trouble)

    def _suspect(self, control: str, item: Mapping[str, Any], project_id: int) -> Suspect:
        twin = item.get("twin")
        why = f"task {twin} is nearly the same and is labelled otherwise" if twin else (
            "models that did not see this label contradict it"
        )  # fmt: skip
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
        self, connection: Connection, tasks: Sequence[int], *, show: bool
    ) -> tuple[Mapping[int, Sequence[Preview]], str]:
        if not show:
            return {}, ""
        try:
            return previews.previews_of(self.settings, connection.uid, tasks), ""
        except BackendError as error:
            # Tasks by number are better than no page.
            return {}, f"what the tasks show could not be read: {error}"

    # Jobs

    def jobs(self, uid: str) -> JobsView:
        """Return what runs for a project, and what ran."""
        self._known(uid)
        past = [asdict(line) for line in Ledger.load(self.store, uid).jobs]
        try:
            running = [in_words(job) for job in self.desk.in_hand() if job.uid == uid]
        except QueueDown as error:
            return JobsView([], past, str(error))
        return JobsView(running, past)

    # Below all of them

    def _known(self, uid: str) -> tuple[ProjectStatus, Connection]:
        connection = Connection.load(self.store, uid)
        if connection is None:
            raise NotFound(f"no project {uid} was ever connected here")
        return ProjectStatus.load(self.store, uid), connection

    def _data_manager(self, project_id: int) -> str:
        base = self.settings.label_studio_host or self.settings.label_studio_url
        return f"{base.rstrip('/')}/projects/{project_id}/data" if base else ""

    def _task(self, project_id: int, task: int) -> str:
        base = self._data_manager(project_id)
        return f"{base}?task={task}" if base else ""


_SAME = (
    "uid", "state", "since", "detail", "remedy", "labels", "tasks", "askable", "skipped",
    "version", "publication", "pinned", "strategy", "left_out", "unreadable", "warnings",
)  # fmt: skip
"""Fields that are shown as the status has them."""


def _head(head: Mapping[str, Any]) -> HeadView:
    return HeadView(
        control=head["control"],
        tag=head["tag"],
        labels=head["labels"],
        useful=head["useful"],
        quality=words.audit(head["audit"]),
        on_chosen=words.chosen(head["chosen"]),
        audit=head["audit"],
        chosen=head["chosen"],
    )


def _line(line: VersionLine) -> dict[str, Any]:
    return {name: getattr(line, name) for name in VersionLine.__dataclass_fields__}

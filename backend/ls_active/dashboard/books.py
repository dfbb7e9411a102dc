"""Everything that is shown, read from the records; nothing here grows with the number of tasks."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from ls_active import words
from ls_active.dashboard import figures
from ls_active.dashboard.actions import ACTIONS
from ls_active.dashboard.answers import answers
from ls_active.dashboard.comparing import side_by_side
from ls_active.dashboard.running import in_words
from ls_active.dashboard.steering import Steering
from ls_active.dashboard.tasks import TaskLists
from ls_active.dashboard.views import (
    AskedView,
    Chart,
    HeadView,
    JobsView,
    ProjectView,
    QueueView,
    SuspectsView,
    VersionView,
)
from ls_active.engine.running import JobInHand
from ls_active.engine.wishes import Wish
from ls_active.errors import NotFound, QueueDown
from ls_active.loop.gate import Gate
from ls_active.loop.models import ModelShelf
from ls_active.loop.publication import version_name
from ls_active.records.ledger import Ledger, VersionLine
from ls_active.records.project import Connection, ProjectStatus
from ls_active.records.store import Store
from ls_active.settings import Settings

PICTURES = 400
"""Charts that are remembered for their pictures: of some twenty projects."""

LOST_AFTER = 600.0
"""Seconds after which a wish that no job sees to is told to be lost."""

_TONES = {"asked": "busy", "done": "good", "refused": "waits", "failed": "bad"}


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
        self.tasks = TaskLists(settings, self.store)
        self._pictures: OrderedDict[str, Chart] = OrderedDict()

    def projects(self) -> list[ProjectView]:
        """Return where all projects stand: those in trouble first, those let go last."""
        found = list(self._all())
        return sorted(found, key=lambda view: (not view.active, view.tone != "bad", view.number))

    def _all(self) -> Iterator[ProjectView]:
        for uid in self.store.projects():
            # One that is just being connected, or whose folder was deleted, has no connection.
            with suppress(NotFound):
                yield self.project(uid)

    def project(self, uid: str) -> ProjectView:
        """Return where one project stands; raise NotFound if it was never connected."""
        return self._view(*self._known(uid))

    def overview(self, uid: str) -> tuple[ProjectView, list[Chart]]:
        """Return where one project stands, and its charts: all records are read once."""
        status, connection = self._known(uid)
        return self._view(status, connection), self._charts(status)

    def _view(self, status: ProjectStatus, connection: Connection) -> ProjectView:
        word, tone = words.state(status.state)
        own = {name: getattr(status, name) for name in _SAME}
        return ProjectView(
            **own,
            number=connection.project_id,
            title=status.title or f"project {connection.project_id}",
            url=self.tasks.data_manager(connection.project_id),
            words=word,
            tone=tone,
            error=status.detail if tone == "bad" else "",
            advice=status.advice.get("sentence", ""),
            heads=[_head(head) for head in status.heads],
            answers=answers(status),
            active=connection.active,
        )

    def charts(self, uid: str) -> list[Chart]:
        """Return the tables behind the charts of a project."""
        return self._charts(self._known(uid)[0])

    def _charts(self, status: ProjectStatus) -> list[Chart]:
        uid = status.uid
        history = self.store.read(uid, "history") or {}
        found = figures.charts(status, Ledger.load(self.store, uid), history)
        for chart in found:
            self._pictures[chart.key] = chart
        while len(self._pictures) > PICTURES:
            self._pictures.popitem(last=False)
        return found

    def chart(self, uid: str, name: str, key: str = "") -> Chart:
        """Return one chart; raise NotFound if there is none of this name.

        Parameters
        ----------
        key : str
            Of the one that a page shows: then no record is read again.
        """
        known = self._pictures.get(key)
        if known is not None and known.name == name:
            # The key is of the figures themselves, and only who saw them knows it.
            return known
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

    def queue(self, uid: str, start: int = 0, *, show: bool = True) -> QueueView:
        """Return some of the queue from a place on; with `show`, what its tasks show."""
        status, connection = self._known(uid)
        return self.tasks.queue(status, connection, start, show)

    def suspects(self, uid: str, start: int = 0, *, show: bool = True) -> SuspectsView:
        """Return some of the labels that are doubted, the most doubtful first."""
        return self.tasks.suspects(self._known(uid)[1], start, show)

    # Jobs

    def jobs(self, uid: str) -> JobsView:
        """Return what runs for a project, and what ran."""
        self._known(uid)
        past = [asdict(line) for line in Ledger.load(self.store, uid).jobs]
        try:
            in_hand = [job for job in self.desk.in_hand() if job.uid == uid]
            wishes = self.desk.wishes.all(uid)
            forced = bool(self.desk.trains(uid))
            asked = [_asked(self._found_out(wish, in_hand, forced)) for wish in wishes]
        except QueueDown as error:
            return JobsView([], [], past, str(error))
        return JobsView([in_words(job) for job in in_hand], asked, past)

    def asked(self, uid: str, wish_id: str) -> AskedView | None:
        """Return what became of one thing that was asked for; None if nobody knows of it."""
        found = [asked for asked in self.jobs(uid).asked if asked.id == wish_id]
        return found[0] if found else None

    def _found_out(self, wish: Wish, in_hand: Sequence[JobInHand], forced: bool) -> Wish:
        """Return a wish; what was never told of it, because its job was killed, is found out."""
        if wish.end != "asked":
            return wish
        mine = [in_words(job).words for job in in_hand if job.id == wish.job]
        if mine:
            return replace(wish, said=mine[0])
        if wish.action == "retrain" and forced:
            return wish  # Whatever became of its job: the next one makes the version.
        why = self.desk.failure(wish.job)
        if not why and wish.at < time.time() - LOST_AFTER and self._is_over(wish.job):
            why = "nobody knows what became of it"
        return replace(wish, end="failed", said=why, remedy="press again") if why else wish

    def _is_over(self, job: str) -> bool:
        return self.desk.is_done(job) or self.desk.is_forgotten(job)

    # Below all of them

    def _known(self, uid: str) -> tuple[ProjectStatus, Connection]:
        connection = Connection.load(self.store, uid)
        if connection is None:
            raise NotFound(f"no project {uid} was ever connected here")
        return ProjectStatus.load(self.store, uid), connection


_SAME = (
    "uid", "state", "since", "detail", "remedy", "labels", "tasks", "askable", "skipped",
    "version", "publication", "pinned", "strategy", "left_out", "unreadable", "warnings",
)  # fmt: skip
"""Fields that are shown as the status has them."""


def _asked(wish: Wish) -> AskedView:
    action = ACTIONS.get(wish.action)
    what = action.label if action else wish.action
    tone = _TONES[wish.end]
    return AskedView(wish.id, wish.action, what, wish.at, wish.end, tone, wish.said, wish.remedy)


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

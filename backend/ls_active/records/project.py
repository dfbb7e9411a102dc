"""What we remember of a connected project, and what we say about it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Self

from ls_active import options as option_files
from ls_active.errors import BadOptions, StoreError
from ls_active.options import Options, RawOptions
from ls_active.records.store import Store


class State(StrEnum):
    """Where a project stands, in one word."""

    ADOPTING = "adopting"
    SYNCING = "syncing"
    WAITING = "waiting"
    READY = "ready"
    CONTESTED = "contested"
    FAILING = "failing"
    REFUSED = "refused"
    GONE = "gone"
    LEAVING = "leaving"
    DISCONNECTED = "disconnected"


@dataclass(frozen=True)
class Connection:
    """One connection of a project, as far as it cannot be read from Label Studio again.

    Attributes
    ----------
    own_url : str
        Our address as Label Studio reaches it; empty where only polling was asked for.
    backend : int or None
        Our row among the project's backends, once seen.
    extra_params
        The connection's options, as they came; the last good ones of a live connection.
    bad_options : str
        What is wrong with the ones that came since.
    active : bool
        False once disconnected: then nothing is ever written to the project.
    original : mapping
        What adopting overwrote, to be put back by disconnecting.
    titles : tuple of str
        Titles of the project's backends when last looked at.
    webhook : bool
        Whether Label Studio has a webhook of ours.
    resolved_at_start, audits_at_start : int or None, int
        Tasks that were resolved before the first queue, and the audit tasks among them: neither
        is in the audit's debt.
    connected_at, adopted_at, backends_seen_at, contested_at : float
        Unix times: of /setup, of taking over, of the last look at the backends, and of the last
        time that somebody else had changed the model version.
    """

    uid: str
    own_url: str = ""
    backend: int | None = None
    extra_params: RawOptions = None
    bad_options: str = ""
    active: bool = True
    adopted: bool = False
    original: Mapping[str, Any] = field(default_factory=dict)
    titles: tuple[str, ...] = ()
    webhook: bool = False
    resolved_at_start: int | None = None
    audits_at_start: int = 0
    connected_at: float = 0.0
    adopted_at: float = 0.0
    backends_seen_at: float = 0.0
    contested_at: float = 0.0

    @property
    def project_id(self) -> int:
        """The id in Label Studio's API: the uid's part before the dot."""
        return int(self.uid.partition(".")[0])

    @property
    def polling(self) -> bool:
        """Whether changes can only be found by asking."""
        return not self.webhook

    def options(self, defaults: RawOptions) -> tuple[Options, str]:
        """Return the options in force, and what is wrong with the given ones."""
        try:
            return option_files.parse(defaults, self.extra_params), self.bad_options
        except BadOptions as error:
            return option_files.parse(defaults), str(error)

    @classmethod
    def load(cls, store: Store, uid: str) -> Self | None:
        """Return the connection of a project, None if it never had one.

        Raises
        ------
        StoreError
            Somebody changed the document into something else.
        """
        document = store.read(uid, "connection")
        if document is None:
            return None
        known = {name: document[name] for name in _names(cls) if name in document}
        try:
            return cls(**{**known, "uid": uid, "titles": tuple(document.get("titles", ()))})
        except TypeError as error:
            raise StoreError(
                f"project {uid}: connection.json is damaged ({error}); "
                "delete that file, and connect the project again"
            ) from None

    def save(self, store: Store) -> None:
        """Write the connection down."""
        store.write(self.uid, "connection", asdict(self))

    def renewed(self, **changes: Any) -> Self:
        """Return a new connection; what was overwritten once is still to be put back."""
        return type(self)(self.uid, original=self.original, **changes)

    def but(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True)
class ProjectStatus:
    """What `status`, the metrics and the page show of a project.

    `since` is when `state` began, `updated_at` when this was written (Unix time); `timings` are
    seconds by stage of the last refit. `heads` has, for each learned control: `control`, `tag`,
    `labels`, `useful`, and `chosen` and `audit`, the figures of the version. `pace` has of each
    annotator of the last seven days a name, the labels, and labels per hour of work. `advice` says
    whether labeling is worth going on with, see `active_learning.stopping`; empty before the first
    figures.
    """

    uid: str
    title: str = ""
    state: str = State.ADOPTING
    detail: str = ""
    remedy: str = ""
    since: float = 0.0
    updated_at: float = 0.0
    mode: str = "webhook"
    tasks: int = 0
    labels: int = 0
    pace: tuple[tuple[str, int, float], ...] = ()
    askable: int = 0
    skipped: int = 0
    version: int = 0
    publication: str = ""
    pinned: int | None = None
    strategy: str = ""
    timings: Mapping[str, float] = field(default_factory=dict)
    heads: tuple[Mapping[str, Any], ...] = ()
    advice: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    unreadable: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @classmethod
    def load(cls, store: Store, uid: str) -> Self:
        """Return the last status written, or an empty one."""
        document = store.read(uid, "state") or {}
        known = {name: document[name] for name in _names(cls) if name in document}
        return cls(**{"uid": uid, **known})

    @property
    def first(self) -> Mapping[str, Any]:
        """What is known of the first control of the label config that is learned."""
        return self.heads[0] if self.heads else {}

    @property
    def useful(self) -> bool:
        """Whether the answers of any control are good enough to be shown."""
        return any(head["useful"] for head in self.heads)

    def save(self, store: Store) -> None:
        """Write the status down, stamped."""
        store.write(self.uid, "state", asdict(self))

    def now(self, state: State, detail: str = "", remedy: str = "", **changes: Any) -> Self:
        """Return a copy in a state of this moment; `since` stays while the state does."""
        moment = time.time()
        since = self.since if self.state == state and self.since else moment
        return replace(
            self,
            state=state,
            detail=detail,
            remedy=remedy,
            since=since,
            updated_at=moment,
            **changes,
        )


def _names(cls: type[Any]) -> tuple[str, ...]:
    return tuple(item.name for item in fields(cls))

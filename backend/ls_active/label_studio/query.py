"""Which tasks to read: the Data Manager's filters, and pages that nothing can shift."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias

import httpx

from ls_active.errors import LabelStudioRejected

logger = logging.getLogger(__name__)

Task: TypeAlias = dict[str, Any]
"""A task as Label Studio's lists give it."""

Filter: TypeAlias = dict[str, Any]
"""One condition in the Data Manager's own words; several are joined by *and*."""

ANNOTATION_FIELDS = (
    "id",
    "result",
    "completed_by",
    "was_cancelled",
    "ground_truth",
    "created_at",
    "updated_at",
    "lead_time",
)
"""What `LabelStudioClient.tasks` brings of each annotation."""


def labeled(yes: bool) -> Filter:
    """Tasks that are (or are not) done. Skipped ones are not."""
    return _filter("is_labeled", "equal", "Boolean", yes)


def updated_after(moment: datetime) -> Filter:
    """Tasks touched strictly after `moment`, by Label Studio's clock.

    Raises
    ------
    ValueError
        If `moment` has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"a moment needs a time zone, got {moment!r}")
    # Label Studio answers 500 to any other format, one without microseconds included.
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return _filter("updated_at", "greater", "Datetime", text)


def id_after(task_id: int) -> Filter:
    """Tasks with a higher id than this."""
    return _filter("id", "greater", "Number", task_id)


def id_between(first: int, last: int) -> Filter:
    """Tasks from `first` to `last`, both included."""
    return _filter("id", "in", "Number", {"min": first, "max": last})


def with_annotations() -> Filter:
    """Tasks with at least one submitted annotation, done or (with overlap) half done."""
    return _filter("total_annotations", "greater", "Number", 0)


def with_skips() -> Filter:
    """Tasks that somebody skipped."""
    return _filter("cancelled_annotations", "greater", "Number", 0)


def without_skips() -> Filter:
    """Tasks that nobody skipped."""
    return _filter("cancelled_annotations", "equal", "Number", 0)


def to_query(filters: Iterable[Filter]) -> str:
    """Return the ``query`` parameter for tasks that match all `filters`, in order of id."""
    return json.dumps(
        {
            "filters": {"conjunction": "and", "items": list(filters)},
            "ordering": ["tasks:id"],
        }
    )


@dataclass(frozen=True)
class Page:
    """One answer of the task list.

    ``total``, ``annotations`` and ``predictions`` count everything that matches, not this page;
    skips are not among the annotations.
    """

    tasks: list[Task]
    total: int
    annotations: int
    predictions: int
    clock: datetime

    @classmethod
    def of(cls, response: httpx.Response) -> Page:
        """Read a page from Label Studio's answer."""
        body = response.json()
        return cls(
            tasks=body["tasks"],
            total=body["total"],
            annotations=body["total_annotations"],
            predictions=body["total_predictions"],
            clock=server_clock(response),
        )


def server_clock(response: httpx.Response) -> datetime:
    """Return the server's time to the second, ours (with a warning) where it does not say."""
    try:
        return parsedate_to_datetime(response.headers["date"])
    except (KeyError, ValueError):
        logger.warning("Label Studio sends no usable Date header; using the clock of this machine")
        return datetime.now(UTC).replace(microsecond=0)


class TaskPages(Iterator[list[Task]]):
    """Tasks in order of id, page by page; the first page is read at once.

    Each page asks for ids above the last one seen: rows that come, go or change meanwhile shift
    nothing, and a page size that the server caps only makes more pages.

    Attributes
    ----------
    clock : datetime
        The server's time of the first answer: where the next cursor starts.
    total : int
        How many tasks matched then.
    """

    def __init__(self, fetch: Callable[[int], Page], after_id: int) -> None:
        first = fetch(after_id)
        self.clock = first.clock
        self.total = first.total
        self._pages = _follow(first, fetch)

    def __next__(self) -> list[Task]:
        return next(self._pages)


def _follow(page: Page, fetch: Callable[[int], Page]) -> Iterator[list[Task]]:
    while page.tasks:
        yield page.tasks
        if len(page.tasks) >= page.total:
            return
        last_id = page.tasks[-1]["id"]
        page = fetch(last_id)
        if page.tasks and page.tasks[0]["id"] <= last_id:
            # Without this, a server that knows no such filter would be read for ever.
            raise LabelStudioRejected(
                f"Label Studio answered task {page.tasks[0]['id']} when asked for ids after"
                f" {last_id}: it cannot be read safely"
            )


def _filter(column: str, operator: str, kind: str, value: Any) -> Filter:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}

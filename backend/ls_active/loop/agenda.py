"""When to fit and when to publish: decisions only, no effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from active_learning.types import Serving
from ls_active.loop.dataset import Dataset
from ls_active.options import Options

ONCE = ("wait", "first sync")
"""Stages that say nothing of what the next refit will cost."""

STUDIO_STAGES = ("import", "patch", "prune")
"""Stages in which Label Studio works for us alone."""

PAUSE_MOST = 300.0
"""Seconds between two publications at most, however slow Label Studio was at the last one."""

HEAD_GROWTH = 20
"""How many times its option a head may grow: publishing 2 000 tasks takes Label Studio 2 s."""


@dataclass(frozen=True)
class Need:
    """Why something is to be done (empty: it is not), and whether it may not wait."""

    why: str = ""
    urgent: bool = False

    def __bool__(self) -> bool:
        return bool(self.why)


def need_fit(
    data: Dataset, manifest: Mapping[str, Any] | None, options: Options, *, force: bool
) -> Need:
    """Say whether a new version is to be fitted.

    Parameters
    ----------
    data : Dataset
        What could be learned now.
    manifest : mapping or None
        What the newest version was made from.
    options : Options
    force : bool
        Somebody pressed a button.
    """
    if data.labels < options.min_labels or data.lacking:
        return Need()
    if force:
        return Need("asked for", urgent=True)
    if manifest is None:
        return Need("the first labels", urgent=True)
    if manifest["signature"] != data.signature:
        return Need("the label config changed", urgent=True)
    if manifest["labels_digest"] == data.digest:
        return Need()
    # Corrected labels leave the count; deleted ones have no date.
    corrected = data.news_since(manifest["newest"]) if "newest" in manifest else 0
    news = max(abs(data.labels - int(manifest["labels"])), corrected, 1)
    return Need(f"{news} new labels") if news >= options.retrain_after else Need()


@dataclass(frozen=True)
class Standing:
    """Where things stand.

    Attributes
    ----------
    version : int
        In force here; 0 before the first.
    in_force : str
        The model version that Label Studio names.
    config : str
        Digest of the label config.
    last_id : int
        The newest task.
    """

    version: int
    in_force: str
    config: str
    last_id: int


def need_publication(
    data: Dataset, record: Mapping[str, Any] | None, options: Options, standing: Standing
) -> Need:
    """Say whether a new head is to be published; `record` is the last publication, if any."""
    if not np.any(data.pool.serving != Serving.NO):
        # Everything is done; Label Studio refuses the name of an empty publication.
        return Need()
    if record is None or record["provisional"]:
        return Need("the first queue", urgent=True)
    # A newer model waits for its turn; going back to an older one is somebody's wish.
    back = standing.version < record["version"]
    other = "an older version was asked for" if back else "a newer model was ready"
    reasons = [
        (standing.in_force != record["name"], f"Label Studio names {standing.in_force!r}", True),
        (standing.version != record["version"], other, back),
        (standing.config != record["config"], "the label config changed", True),
        (
            record.get("strategy", options.strategy) != options.strategy,
            "another strategy was asked for",
            True,
        ),
        (drained(data, record, options), "the queue's head is used up", True),
        (standing.last_id > record["last_id"], "new tasks", False),
    ]
    found = [Need(why, urgent) for holds, why, urgent in reasons if holds]
    return max(found, key=lambda need: need.urgent, default=Need())


def drained(data: Dataset, record: Mapping[str, Any], options: Options) -> bool:
    """Say whether less than half of a head can still be served while others wait outside."""
    waiting = data.pool.ids[data.pool.serving == Serving.YES]
    left = int(np.count_nonzero(np.isin(record["tasks"], waiting)))
    return left < min(max(options.head_size, len(record["tasks"])) / 2, len(waiting))


def head_size(
    data: Dataset, record: Mapping[str, Any] | None, options: Options, *, now: float, pause: float
) -> int:
    """Return how many tasks to publish.

    Four times what annotators use up between two publications, but at least `head_size` of the
    options, and at most `HEAD_GROWTH` times that.
    """
    if record is None or record["provisional"]:
        return options.head_size
    since = max(now - record["published_at"], pause, 0.1)
    # Of this head only: labels may also be imported by the thousand.
    used = np.count_nonzero(np.isin(record["tasks"], data.pool.ids[data.pool.resolved]))
    most = HEAD_GROWTH * options.head_size
    return max(options.head_size, min(int(4 * used * pause / since), most))


def pause_left(
    record: Mapping[str, Any] | None,
    options: Options,
    *,
    now: float,
    timings: Mapping[str, float],
) -> float:
    """Return the seconds until the next publication that can wait; the first edge never does."""
    if record is None:
        return 0.0
    return left_of(pause(options, timings), float(record["published_at"]), now)


def left_of(pause: float, since: float, now: float) -> float:
    """Return what is left of a pause; a clock that was ahead makes it no longer."""
    return min(max(since + pause - now, 0.0), pause)


def pause(options: Options, timings: Mapping[str, float]) -> float:
    """Return the seconds between two publications.

    While Label Studio takes one in, annotators wait for it: it is to have time for them.

    Parameters
    ----------
    options : Options
    timings : mapping
        Seconds by stage of the last refit.
    """
    spent = sum(seconds for stage, seconds in timings.items() if stage not in ONCE)
    busy = sum(timings.get(stage, 0.0) for stage in STUDIO_STAGES)
    return max(options.min_interval, min(max(3 * spent, busy / options.busy_share), PAUSE_MOST))

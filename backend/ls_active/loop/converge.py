"""One job over one project, from "who are you" to the status for people."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ls_active.errors import BadLabelConfig, NotFoundInLabelStudio, PublicationReplaced
from ls_active.label_studio.client import Project
from ls_active.labeling import label_config
from ls_active.labeling.fields import look_at
from ls_active.labeling.inputs import Inputs
from ls_active.labeling.label_config import LabelConfig
from ls_active.labeling.plan import LeftOut, Plan, make_plan
from ls_active.loop.adoption import Adoption
from ls_active.loop.appraisal import furthest
from ls_active.loop.outcome import Outcome
from ls_active.loop.refit import Refit
from ls_active.loop.standing import state_of, strategy_words, tied_words
from ls_active.loop.subject import Subject
from ls_active.loop.workshop import Workshop, open_media
from ls_active.records.project import Connection, ProjectStatus, State
from ls_active.sync.cursor import Sync
from ls_active.sync.database import disk_errors
from ls_active.sync.mirror import Mirror
from ls_active.sync.reader import Reader

logger = logging.getLogger(__name__)

ROW_AFTER, ROW_PATIENCE = 2.0, 60.0
"""Seconds between looks for our row among a new connection's backends, and in all: Label Studio
asks /setup before it writes the row, and also where connecting then fails."""

PACE_OF = timedelta(days=7)

RECOUNT_AFTER = 10.0
"""Seconds to the next look while our counts and Label Studio's differ."""


@dataclass(frozen=True)
class Result:
    """What the caller must know.

    Attributes
    ----------
    annotated : int
        Tasks that got annotations since the last run.
    again_in : float or None
        Seconds until the next look.
    pause : float
        Seconds for which nothing but a publication that waits for its turn is to be done.
    label_config : str
        The XML that was read; empty if none was.
    asked_at : float
        Unix time since when somebody waits for this run.
    left : bool
        Whether the project is not ours, or no longer: the same /setup may come again.
    published, why : str
        The publication that was made, if one was, and why.
    timings : mapping of str to float
        Seconds by stage.
    """

    annotated: int = 0
    again_in: float | None = None
    pause: float = 0.0
    label_config: str = ""
    asked_at: float = 0.0
    left: bool = False
    published: str = ""
    why: str = ""
    timings: Mapping[str, float] = field(default_factory=dict)


def converge(shop: Workshop, *, force: bool = False, look: bool = False) -> Result:
    """Bring a project to where it should be.

    Parameters
    ----------
    shop : Workshop
    force : bool
        Fit a new version, whatever changed.
    look : bool
        Look at the project's backends now: somebody connected or changed options.
    """
    connection = Connection.load(shop.store, shop.uid)
    if connection is None or not connection.active:
        return Result()
    project = _find(shop, connection)
    if project is None:
        # Given up: the same /setup, once the reason is gone, is news.
        return Result(left=not connection.adopted)
    adoption = Adoption(shop, connection)
    if not adoption.look_at_backends(at_once=look or connection.backend is None):
        return _without_backend(shop, adoption)
    options, _ = adoption.connection.options(shop.settings.options)
    config, plan = _read(shop, project, options.text_encoder)
    _log_left_out(shop, plan)
    if config is None or not plan.heads:
        _wait_for_config(shop, project, plan)
        return Result()
    if not adoption.connection.adopted:
        shop.say(State.ADOPTING, "setting sampling, webhook and a first queue")
        adoption.adopt(project, config, plan)
        project = shop.client.project(project.id)
    return _refit(shop, adoption, project, config, plan, force=force)


def _find(shop: Workshop, connection: Connection) -> Project | None:
    """Return the project if it is the one that was connected, not another of the same id."""
    try:
        project = shop.client.project(connection.project_id)
    except NotFoundInLabelStudio:
        _give_up(shop, connection)
        shop.say(
            State.GONE,
            f"{shop.client.url} has no project {connection.project_id} that our key may see",
            "if it was deleted, nothing; else give the key's user access to it",
        )
        return None
    if project.uid == connection.uid:
        return project
    _give_up(shop, connection)
    shop.say(
        State.REFUSED,
        f"{shop.client.url} knows project {project.id} as {project.uid}, not as {connection.uid}",
        "point LABEL_STUDIO_URL at the Label Studio that the connection came from",
    )
    return None


def _give_up(shop: Workshop, connection: Connection) -> None:
    """Look no further after what was never adopted: /setup could name any project."""
    if not connection.adopted:
        connection.but(active=False).save(shop.store)


def _without_backend(shop: Workshop, adoption: Adoption) -> Result:
    """Wait for the row that Label Studio writes after /setup; leave the project if it is gone."""
    known = adoption.connection
    if not known.adopted and time.time() - known.connected_at < ROW_PATIENCE:
        shop.say(State.ADOPTING, "waiting for Label Studio to finish connecting")
        return Result(again_in=ROW_AFTER)
    known.but(active=False, adopted=False).save(shop.store)
    shop.say(
        State.DISCONNECTED,
        "the project has no ML backend at our address any more; nothing is written to it",
        "connect it again under Settings > Model, or run `ls-active disconnect` to clean up",
    )
    return Result(left=True)


def _read(shop: Workshop, project: Project, encoder: str) -> tuple[LabelConfig | None, Plan]:
    try:
        config = label_config.parse(project.label_config)
    except BadLabelConfig as error:
        return None, Plan(left_out=(LeftOut("label config", "View", str(error)),))
    sample = shop.client.first_tasks(project.id)
    seen = look_at([task.get("data") for task in sample])
    return config, make_plan(config, *seen, encoder)


def _log_left_out(shop: Workshop, plan: Plan) -> None:
    """Name what is not learned, once; the status says so ever after."""
    said = ProjectStatus.load(shop.store, shop.uid).left_out
    if plan.left_out and tuple(map(str, plan.left_out)) != tuple(said):
        logger.info("project %s: not learned: %s", shop.uid, plan.reasons)


def _wait_for_config(shop: Workshop, project: Project, plan: Plan) -> None:
    shop.say(
        State.WAITING,
        f"nothing to learn in the label config: {plan.reasons}",
        "the README lists the tags that are learned; Settings > Labeling Interface",
        title=project.title,
        left_out=tuple(map(str, plan.left_out)),
    )


def _refit(
    shop: Workshop,
    adoption: Adoption,
    project: Project,
    config: LabelConfig,
    plan: Plan,
    *,
    force: bool,
) -> Result:
    with open_media(shop.settings, shop.client) as media:
        return _refit_with(shop, adoption, project, config, Inputs(plan, media), force=force)


def _refit_with(
    shop: Workshop,
    adoption: Adoption,
    project: Project,
    config: LabelConfig,
    inputs: Inputs,
    *,
    force: bool,
) -> Result:
    plan = inputs.plan
    contested = adoption.contested(project)

    def progress(done: int, total: int) -> None:
        shop.clock.tell("sync", done / max(total, 1))
        shop.say(State.SYNCING, f"read {done} of {total} tasks", title=project.title)

    key = f"{plan.feature_key} {sorted(plan.region_types)}"
    folder = shop.mirror_folder
    with disk_errors(folder), Mirror(folder, key, inputs.shape, inputs.unit_shapes) as mirror:
        reader = Reader(
            shop.client, mirror, project.id, inputs, plan.region_types, check=shop.check
        )
        sync = Sync(reader, progress)
        subject = Subject(project, config, plan, inputs, mirror, sync, contested)
        refit = Refit(shop, adoption.connection, subject, force=force)
        outcome = _run(refit, adoption)
        facts = _facts(refit.connection, subject, plan, outcome)
    if outcome.published or not ProjectStatus.load(shop.store, shop.uid).timings:
        facts["timings"] = dict(shop.clock.seconds)
    options, complaint = refit.connection.options(shop.settings.options)
    facts["strategy"] = strategy_words(outcome, options.strategy)
    facts["warnings"] = tuple(
        filter(None, (complaint, tied_words(outcome.data.tied), outcome.gate))
    )
    shop.say(*state_of(outcome, needed=options.min_labels, contested=contested), **facts)
    pause = outcome.again_in
    waits = [] if pause is None else [pause]
    waits += [] if outcome.report.complete else [RECOUNT_AFTER]
    return Result(
        annotated=outcome.report.annotated,
        again_in=min(waits, default=None),
        pause=pause if pause and outcome.report.complete else 0.0,
        label_config=project.label_config,
        published=outcome.published,
        why=outcome.record["why"] if outcome.record and outcome.published else "",
    )


def _run(refit: Refit, adoption: Adoption) -> Outcome:
    """Run, and note it where ours was put back, also if it was replaced again at once."""
    try:
        outcome = refit.run()
    except PublicationReplaced:
        adoption.note_contest(refit.connection)
        raise
    if adoption.puts_back:
        adoption.note_contest(refit.connection)
    return outcome


def _facts(
    connection: Connection, subject: Subject, plan: Plan, outcome: Outcome
) -> dict[str, Any]:
    data, version, record = outcome.data, outcome.version, outcome.record
    return {
        "title": subject.project.title,
        "mode": "poll" if connection.polling else "webhook",
        "tasks": len(data.pool.ids),
        "labels": data.labels,
        "pace": subject.mirror.pace((datetime.now(UTC) - PACE_OF).isoformat()),
        "askable": data.askable,
        "skipped": subject.project.skipped_annotations_number,
        "version": version.number if version else 0,
        "publication": record["name"] if record else "",
        "pinned": outcome.pinned,
        "heads": _heads(plan, outcome),
        "advice": furthest((outcome.evaluation or {}).get("advice", ())),
        "left_out": tuple(map(str, plan.left_out)),
        "unreadable": subject.mirror.errors(),
    }


def _heads(plan: Plan, outcome: Outcome) -> tuple[dict[str, Any], ...]:
    """Return what is known of each control that is learned."""
    version = outcome.version
    nothing: Sequence[Any] = [None] * len(plan.heads)
    audits = (outcome.evaluation or {}).get("audits", nothing)
    fitted = version.manifest["heads"] if version else [{}] * len(plan.heads)
    return tuple(
        {
            "control": head.name,
            "tag": head.control.tag,
            "labels": len(pool.labeled),
            "useful": fit.get("useful", False),
            "chosen": fit.get("chosen"),
            "audit": estimate,
        }
        for head, pool, fit, estimate in zip(
            plan.heads, outcome.data.pools, fitted, audits, strict=True
        )
    )

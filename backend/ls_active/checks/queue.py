"""Whether Label Studio serves our queue: sampling, model version, and what pre-empts them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ls_active.checks import Case, Finding, note, ok, trouble, warning
from ls_active.checks.mending import mend
from ls_active.errors import BadLabelConfig
from ls_active.labeling import label_config
from ls_active.labeling.plan import make_plan
from ls_active.loop.adoption import SAMPLING
from ls_active.records.project import Connection, State

_VERSION = re.compile(r"al-\d+(\.\d+)?")


def same_project(case: Case) -> Iterator[Finding]:
    """Check that it is the project that was connected, not another under its number."""
    if case.project.uid != case.connection.uid:
        yield trouble(
            "project",
            f"number {case.project.id} is another project now ({case.project.uid}); the one that "
            f"was connected ({case.connection.uid}) is not touched",
            "point LABEL_STUDIO_URL at the Label Studio it was connected from",
        )


def gone(connection: Connection) -> Iterator[Finding]:
    """Say what to do about a project that Label Studio does not show us."""
    number = connection.project_id
    if connection.active:
        yield trouble(
            "project",
            f"Label Studio has no project {number} that our key may see",
            f"give the key's user access to it; if it was deleted, `ls-active disconnect {number}`",
        )
    else:
        yield note("project", "it is gone from Label Studio, and disconnected here")


def connected(case: Case) -> Iterator[Finding]:
    """Check that we look after it, and can."""
    if not case.active:
        yield note(
            "project",
            "it is disconnected: nothing is written to it",
            f"`ls-active connect {case.project.id}` takes it up again",
        )
    elif case.status.state in (State.FAILING, State.REFUSED, State.GONE, State.LEAVING):
        yield trouble("project", f"{case.status.state}: {case.status.detail}", case.status.remedy)


def sampling(case: Case) -> Iterator[Finding]:
    """Check that it samples by uncertainty."""
    if not case.active:
        return
    if case.project.sampling == SAMPLING:
        yield ok("sampling", SAMPLING)
    else:
        yield trouble(
            "sampling",
            f"{case.project.sampling!r}: Label Studio does not look at our order",
            "--fix sets it (the page hides this choice)",
            mend,
        )


def model_version(case: Case) -> Iterator[Finding]:
    """Check that the project names our last publication."""
    named = case.project.model_version
    if not case.active or not case.published:
        return
    if named == case.published:
        yield ok("model version", named)
        return
    if not named:
        what = "none: tasks are served at random"
    elif named in {row["title"] for row in case.backends}:
        what = f"{named!r}, a backend's title: tasks are served at random"
    else:
        what = f"{named!r}, not our last publication {case.published}"
    remedy = "--fix publishes anew"
    if case.connection.options("")[0].on_contested == "leave":
        remedy += ", unless on_contested=leave: then choose it under Settings > Annotation"
    yield trouble("model version", what, remedy, mend)


def titles(case: Case) -> Iterator[Finding]:
    """Check that no backend's title passes for one of our version strings."""
    for row in case.backends:
        if _VERSION.fullmatch(row["title"]):
            yield trouble(
                "backend",
                f"one is titled {row['title']!r}, as our versions are: deleting old queues would "
                "empty the project's model version",
                "rename it under Settings > Model",
            )


def other_backends(case: Case) -> Iterator[Finding]:
    """Check that there is no second backend, which Label Studio would ask as well."""
    if case.active and len(case.backends) > 1:
        listed = ", ".join(f"{row['title']!r} at {row['url']}" for row in case.backends)
        yield warning(
            "backend",
            f"{len(case.backends)} on this project: {listed}; each task an annotator opens may "
            "wait for all of them",
            "keep one under Settings > Model",
        )


def overlap(case: Case) -> Iterator[Finding]:
    """Check that every task wants one annotator."""
    if not case.active:
        return
    if case.project.maximum_annotations > 1:
        yield warning(
            "overlap",
            f"{case.project.maximum_annotations} annotators a task: Label Studio first completes "
            "the tasks somebody began, at random, and only then takes ours",
            "set Annotations per task minimum to 1 under Settings > Quality, or live with it",
        )
    if case.project.show_overlap_first and case.project.overlap_cohort_percentage < 100:
        yield warning(
            "overlap",
            "tasks with overlap are shown first, before our order",
            "switch off Show tasks with overlap first under Settings > Quality",
        )


def ground_truth_first(case: Case) -> Iterator[Finding]:
    """Check that ground-truth tasks do not come before ours."""
    if case.active and case.project.show_ground_truth_first:
        yield warning(
            "ground truth",
            "tasks with a ground truth are shown first, before our order",
            "switch show_ground_truth_first off through Label Studio's API",
        )


def learnable(case: Case) -> Iterator[Finding]:
    """Check that there is something to learn in the label config; say what is left out."""
    try:
        plan = make_plan(label_config.parse(case.project.label_config))
    except BadLabelConfig as error:
        yield trouble("label config", str(error), "correct it under Settings > Labeling Interface")
        return
    if not plan.heads:
        yield trouble(
            "label config",
            f"nothing is learned: {plan.reasons}",
            "the README lists what is learned; change it under Settings > Labeling Interface",
        )
        return
    names = ", ".join(repr(head.name) for head in plan.heads)
    yield ok("label config", f"learned: {names}")
    for left_out in plan.left_out:
        yield note("label config", f"left out: {left_out}")


def project_options(case: Case) -> Iterator[Finding]:
    """Check that the connection's options are usable."""
    if case.options_problem:
        yield warning(
            "options",
            f"{case.options_problem}. The last good ones, or the defaults, are in force",
            f"correct them under Settings > Model, or `ls-active connect {case.project.id} "
            "--option key=value`",
        )


def warned(case: Case) -> Iterator[Finding]:
    """Pass on what the last job had to say."""
    for text in case.status.warnings:
        if text != case.options_problem:
            yield warning("labels", text, "ask a further annotator, or set a ground truth")
    for reason, count in case.status.unreadable.items():
        yield warning(
            "tasks", f"{count} cannot be read: {reason}", "correct or delete them; they come last"
        )

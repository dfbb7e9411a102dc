r"""Where a project is taken over or given back: its scenes, and what is thrown at which call.

What fails is the n-th call of its kind: ``(r"PATCH /api/projects/\d+$", 1)`` is the second time
that the project is changed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from ls_active import jobs
from ls_active.schemas import SetupRequest
from tests.harness.effects import Effects
from tests.harness.rig import OWN_URL, TEXTS, Rig
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_http import Wire
from tests.harness.simulated_project import CONFIG, UID
from tests.harness.troubles import TROUBLES
from tests.harness.wired import run_refit, wired

LABELS = 6
"""Annotations that are there already when the project is connected."""

THEIRS = "theirs"
"""Somebody else's model, which is in force before we come."""

BEFORE = {"sampling": "Sequential sampling", "model_version": THEIRS}
OTHER_HOOK = {"id": 900, "url": "http://other.example/webhook", "headers": {}, "is_active": True}
OTHER_ROW = {"id": 800, "url": f"{OWN_URL}/other", "title": "other model", "extra_params": None}
"""Another backend, behind the same host as we are."""

PERHAPS = {("an empty object", r"GET /api/projects/\d+/model-versions/$")}
"""What Label Studio may really say: that a project has no predictions."""

Start = tuple[Path, SimulatedLabelStudio]


def every(calls: Mapping[str, int], usual: str = "done, and no answer") -> pytest.MarkDecorator:
    """Throw everything at every one of these calls.

    Without `slow`, one thing at the last of each kind; without `long`, everything at these.
    """

    def marks(name: str, *, last: bool) -> list[pytest.MarkDecorator]:
        if not last:
            return [pytest.mark.long]
        return [] if name == usual else [pytest.mark.slow]

    cases = [
        pytest.param(
            *(name, call, after),
            marks=marks(name, last=after == count - 1),
            id=f"{name}-{call}-{after}",
        )
        for name in TROUBLES
        for call, count in calls.items()
        for after in range(count)
        if (name, call) not in PERHAPS
    ]
    return pytest.mark.parametrize(("name", "call", "after"), cases)


def made(wire: Wire) -> Counter[str]:
    """Return how often each kind of call was made."""
    kinds: Counter[str] = Counter()
    for call, count in wire.calls.items():
        kinds[re.sub(r"\d+", r"\\d+", call) + "$"] += count
    return kinds


def setup(wire: Wire) -> None:
    """Have Label Studio call /setup, as it does now and then."""
    request = SetupRequest(project=UID, label_config=CONFIG, hostname=wire.url)
    jobs._desk().setup(request, OWN_URL)


def served(rig: Rig) -> list[str | None]:
    """Watch a project; return a list that gets every model version that was ever in force.

    A queue of ours that is whole counts as "ours", whatever its name.
    """
    seen: list[str | None] = []

    def watch() -> None:
        named = "ours" if rig.studio.serves_whole() else rig.studio.fields["model_version"]
        if seen[-1:] != [named]:
            seen.append(named)

    watch()
    rig.studio.effect = Effects(watch=watch)
    return seen


def pressed_project() -> SimulatedLabelStudio:
    """Return a project with labels and a model of others, whose admin pressed "Connect Model".

    It has got our webhook twice, and the row and the webhook of somebody else.
    """
    studio = SimulatedLabelStudio(TEXTS[:16])
    for task in list(studio.rows)[:LABELS]:
        studio.annotate(task, "cat" if "cat" in studio.rows[task].data["text"] else "dog")
    guess = {"model_version": THEIRS, "score": 0.5, "result": []}
    studio.predictions += [{"task": task, **guess} for task in list(studio.rows)[-3:]]
    studio.fields["model_version"] = THEIRS
    options = {"min_interval": 0, "busy_share": 1, "head_size": 10}
    studio.connect(OWN_URL, "our model", options)
    studio.backends.append(OTHER_ROW)
    studio.hooks += [{**studio.hooks[-1], "id": 901}, OTHER_HOOK]
    return studio


def connected_project(wire: Wire, folder: Path, redis_url: str) -> Start:
    """Return a project that was connected an hour ago and has a queue of the model: both sides."""
    with wired(wire, (folder / "nothing", wire.studio), folder / "data", redis_url) as rig:
        setup(wire)
        run_refit(rig)
        rig.change(adopted_at=rig.connection.adopted_at - 3600)
        assert rig.studio.serves_whole()
        return folder / "data", rig.studio

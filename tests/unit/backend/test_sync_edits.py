"""However a project is edited, and we are killed, the mirror ends as a full sync would make it."""

from __future__ import annotations

import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ls_active.sync import recount
from ls_active.sync.mirror import Mirror
from ls_active.sync.reader import SyncReport
from tests.harness.effects import Killed
from tests.harness.mirrors import anew, contents, open_mirror, sync_of
from tests.harness.simulated import SimulatedLabelStudio

pytestmark = pytest.mark.usefixtures("quickly")


ANNOTATIONS = ("annotate", "second", "skip", "update", "star", "delete", "lose")
OPERATIONS = (*ANNOTATIONS, "edit", "add", "remove", "overlap", "sync", "wait", "die")


class Script:
    """Random edits of a project, each followed by a moment's rest."""

    def __init__(self, studio: SimulatedLabelStudio, mirror: Mirror, seed: int) -> None:
        self.studio, self.mirror = studio, mirror
        self.random = random.Random(seed)

    def play(self, operation: str) -> None:
        getattr(self, operation)()
        self.studio.wait(2)

    def sync(self) -> SyncReport:
        return sync_of(self.studio, self.mirror).run()

    def wait(self) -> None:
        self.studio.wait(500)

    def die(self) -> None:
        left = self.random.randrange(4)

        def check() -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed

        try:
            sync_of(self.studio, self.mirror, check=check).run()
        except Killed:
            return

    def annotate(self) -> None:
        self.studio.annotate(self.task(), self.random.choice(["cat", "dog"]))

    def second(self) -> None:
        self.studio.annotate(self.task(), "dog", user=2)

    def skip(self) -> None:
        self.studio.skip(self.task())

    def update(self) -> None:
        self.change(lambda annotation: self.studio.update(annotation, "cat", was_cancelled=False))

    def star(self) -> None:
        self.change(lambda annotation: self.studio.update(annotation, ground_truth=True))

    def delete(self) -> None:
        self.change(self.studio.delete_annotation)

    def lose(self) -> None:
        self.change(lambda annotation: self.studio.delete_annotation(annotation, stamped=False))

    def edit(self) -> None:
        self.studio.edit_task(self.task(), f"edit {self.random.random()}")

    def add(self) -> None:
        self.studio.add_tasks([f"added {self.random.random()}"])

    def remove(self) -> None:
        self.studio.delete_task(self.task())
        self.add()

    def overlap(self) -> None:
        self.studio.fields["maximum_annotations"] = self.random.choice([1, 2])

    def task(self) -> int:
        return self.random.choice(sorted(self.studio.rows))

    def change(self, edit) -> None:
        rows = self.studio.rows.values()
        annotations = [item["id"] for task in rows for item in task.annotations]
        if annotations:
            edit(self.random.choice(annotations))


@settings(max_examples=20)
@given(operations=st.lists(st.sampled_from(OPERATIONS), max_size=16), seed=st.integers(0, 2**16))
def test_any_edits_end_as_a_full_sync_would(operations, seed):
    studio = SimulatedLabelStudio([f"text {number}" for number in range(8)])
    studio.page_cap = 3
    patience = recount.PATIENCE
    with TemporaryDirectory() as folder, open_mirror(Path(folder)) as mirror:
        script = Script(studio, mirror, seed)
        for operation in operations:
            script.play(operation)
        try:
            recount.PATIENCE = 0.0
            for _ in range(3):
                report = script.sync()
        finally:
            recount.PATIENCE = patience
        assert report.complete
        assert contents(mirror) == anew(studio)

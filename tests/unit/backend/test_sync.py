"""The mirror follows Label Studio, reads no task's data twice, and goes on where it was killed."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from ls_active.sync import cursor
from ls_active.sync.mirror import Mirror
from ls_active.sync.reader import TRY_AGAIN, SyncReport
from tests.harness.effects import Killed
from tests.harness.mirrors import (
    LetterInputs,
    Letters,
    anew,
    contents,
    open_mirror,
    reader_of,
    row_of,
    sync_of,
)
from tests.harness.simulated import SimulatedLabelStudio

pytestmark = pytest.mark.usefixtures("quickly")


@pytest.fixture
def studio():
    return SimulatedLabelStudio([f"text {number}" for number in range(10)])


@pytest.fixture
def mirror(tmp_path):
    with open_mirror(tmp_path) as opened:
        yield opened


def data_reads(studio: SimulatedLabelStudio) -> Counter[int]:
    """How often the data of each task was asked for."""
    return Counter(task for include, tasks in studio.reads if "data" in include for task in tasks)


def features_of(mirror: Mirror, task: int) -> np.ndarray:
    table = mirror.table()
    return mirror.features(table.rows[table.ids == task]).toarray()[0]


class TestTheFirstSync:
    def test_takes_everything_page_by_page(self, studio, mirror):
        studio.page_cap = 3
        studio.annotate(4, "cat", user=2)
        studio.skip(5)
        told: list[tuple[int, int]] = []
        sync = sync_of(studio, mirror)
        sync._progress = lambda done, total: told.append((done, total))
        sync.run()
        assert told == [(3, 10), (6, 10), (9, 10), (10, 10)]
        table = mirror.table()
        assert table.ids.tolist() == list(range(1, 11))
        assert table.is_labeled.tolist() == [task == 4 for task in range(1, 11)]
        assert table.skips.tolist() == [int(task == 5) for task in range(1, 11)]
        np.testing.assert_array_equal(features_of(mirror, 7), row_of("text 6"))
        [label, skip] = mirror.annotations()
        assert (label.task, label.annotator, label.skipped) == (4, 2, False)
        assert label.result[0]["value"] == {"choices": ["cat"]}
        assert (skip.task, skip.skipped, skip.result) == (5, True, [])

    def test_of_an_empty_project(self, mirror):
        assert sync_of(SimulatedLabelStudio(), mirror).run() == SyncReport()
        assert mirror.counts() == (0, 0)

    @pytest.mark.parametrize(
        ("survived", "known", "in_hand", "twice"),
        [(6, 6, {7, 8}, 0), (3, 4, {3, 4}, 2)],
        ids=["before a page", "between its states and its data"],
    )
    def test_goes_on_where_it_was_killed(self, studio, mirror, survived, known, in_hand, twice):
        studio.page_cap = 2
        featurizer, checks = Letters(), 0

        def check() -> None:
            nonlocal checks
            checks += 1
            if checks > survived:
                raise Killed

        with pytest.raises(Killed):
            sync_of(studio, mirror, featurizer=featurizer, check=check).run()
        assert mirror.counts()[0] == known
        studio.annotate(1, "cat")
        studio.edit_task(2, "edited")
        studio.wait(500)
        sync_of(studio, mirror, featurizer=featurizer).run()
        reads = data_reads(studio)
        assert contents(mirror) == anew(studio)
        assert len(featurizer.seen) == 10 + 1 + twice
        # The page in hand when it died, the annotated one and the edited one.
        assert {task for task, times in reads.items() if times > 1} == in_hand | {1, 2}

    def test_sees_what_came_while_it_read(self, studio, mirror):
        studio.page_cap = 4
        sync = sync_of(studio, mirror)

        def meanwhile(done: int, total: int) -> None:
            if done == 4:
                studio.annotate(2, "dog")
                studio.delete_task(9)
                studio.add_tasks(["late"])

        sync._progress = meanwhile
        sync.run()
        assert contents(mirror) == anew(studio)

    def test_gives_unreadable_tasks_the_empty_row_and_counts_why(self, mirror):
        broken = [{"text": "fine"}, {}, {"text": ["a"]}, {"text": " "}, {}, {"text": None}]
        studio = SimulatedLabelStudio(broken)
        studio.rows[5].data = ["a list"]
        sync_of(studio, mirror).run()
        assert mirror.errors() == {
            "text: not in the task's data": 1,
            "text: empty text": 3,
            "text: data must be an object, got list": 1,
        }
        assert not features_of(mirror, 2).any()
        assert features_of(mirror, 1).any()
        assert mirror.unread() == []


class TestWhatChanged:
    @pytest.fixture(autouse=True)
    def synced(self, studio, mirror):
        sync_of(studio, mirror).run()
        studio.wait(5)

    def test_nothing(self, studio, mirror):
        before = contents(mirror)
        assert sync_of(studio, mirror).run() == SyncReport()
        assert contents(mirror) == before

    def test_many_annotations_without_the_data_of_their_tasks(self, studio, mirror, monkeypatch):
        monkeypatch.setattr(cursor, "FEW", 2)
        for task in (2, 5, 6):
            studio.annotate(task, "cat")
        report = sync_of(studio, mirror).run()
        assert report == SyncReport(changed=3, annotated=3)
        assert {item.task for item in mirror.annotations()} == {2, 5, 6}
        assert max(data_reads(studio).values()) == 1

    def test_a_few_annotations_with_the_data_of_their_tasks_in_no_more_calls(self, studio, mirror):
        studio.calls.clear()
        sync_of(studio, mirror).run()
        nothing = studio.calls["tasks"]
        studio.annotate(2, "cat")
        featurizer = Letters()
        studio.calls.clear()
        sync_of(studio, mirror, featurizer=featurizer).run()
        assert studio.calls["tasks"] == nothing + 1
        assert data_reads(studio)[2] == 2
        assert featurizer.seen == []

    @pytest.mark.parametrize("pause", [0, 2])
    def test_a_text_edited_before_it_was_annotated(self, studio, mirror, pause):
        studio.edit_task(3, "edited")
        studio.wait(pause)
        studio.annotate(3, "cat")
        sync_of(studio, mirror).run()
        np.testing.assert_array_equal(features_of(mirror, 3), row_of("edited"))

    def test_new_tasks_with_their_data_once(self, studio, mirror):
        new = studio.add_tasks(["new", "newer"])
        assert sync_of(studio, mirror).run().added == 2
        np.testing.assert_array_equal(features_of(mirror, new[1]), row_of("newer"))
        sync_of(studio, mirror).run()
        assert {data_reads(studio)[task] for task in new} == {1}

    @pytest.mark.parametrize("wait", [0, 300])
    def test_an_edited_text(self, studio, mirror, wait):
        studio.edit_task(3, "edited")
        studio.wait(wait)
        sync_of(studio, mirror).run()
        np.testing.assert_array_equal(features_of(mirror, 3), row_of("edited"))
        assert data_reads(studio)[3] == 3
        assert sum(data_reads(studio).values()) == 12

    def test_a_text_edited_after_it_was_annotated(self, studio, mirror):
        studio.annotate(3, "cat")
        studio.wait(2)
        studio.edit_task(3, "edited")
        sync_of(studio, mirror).run()
        np.testing.assert_array_equal(features_of(mirror, 3), row_of("edited"))

    def test_an_edited_text_although_we_were_killed_before_reading_it(self, studio, mirror):
        studio.edit_task(3, "edited")
        calls = 0

        def check() -> None:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise Killed

        with pytest.raises(Killed):
            sync_of(studio, mirror, check=check).run()
        sync_of(studio, mirror).run()
        np.testing.assert_array_equal(features_of(mirror, 3), row_of("edited"))

    def test_a_text_edited_back_costs_no_new_features(self, studio, mirror):
        studio.edit_task(3, "text 2")
        featurizer = Letters()
        sync_of(studio, mirror, featurizer=featurizer).run()
        assert featurizer.seen == []

    def test_updates_skips_stars_and_deletions(self, studio, mirror):
        first, second = studio.annotate(1, "cat"), studio.annotate(2, "dog")
        skipped = studio.skip(3)
        sync_of(studio, mirror).run()
        studio.update(first, "dog")
        studio.update(second, ground_truth=True)
        studio.update(skipped, "cat", was_cancelled=False)
        sync_of(studio, mirror).run()
        found = {item.task: item for item in mirror.annotations()}
        assert found[1].result[0]["value"] == {"choices": ["dog"]}
        assert found[2].ground_truth
        assert not found[3].skipped
        assert mirror.table().is_labeled.tolist()[:4] == [True, True, True, False]
        studio.delete_annotation(first)
        featurizer = Letters()
        sync_of(studio, mirror, featurizer=featurizer).run()
        assert {item.task for item in mirror.annotations()} == {2, 3}
        assert featurizer.seen == []

    def test_other_regions_are_not_kept(self, studio, mirror):
        annotation = studio.annotate(1, "cat")
        _, row = studio._find(annotation)
        other = {"type": "textarea", "value": {"text": ["x" * 999]}}
        row["result"] = [
            *row["result"], other, other | {"from_name": "note"}, None,
            {"from_name": "note", "value": "x"}, {"type": "relation", "from_id": "a"},
        ]  # fmt: skip
        sync_of(studio, mirror).run()
        [kept] = mirror.annotations()
        assert [region["type"] for region in kept.result] == ["choices"]

    def test_deleted_tasks(self, studio, mirror):
        studio.annotate(4, "cat")
        studio.annotate(5, "cat")
        sync_of(studio, mirror).run()
        studio.delete_task(4)
        report = sync_of(studio, mirror).run()
        assert report == SyncReport(removed=1)
        assert 4 not in mirror.states()
        assert {item.task for item in mirror.annotations()} == {5}

    def test_one_task_deleted_and_one_imported(self, studio, mirror):
        studio.delete_task(10)
        studio.add_tasks(["instead"])
        sync_of(studio, mirror).run()
        assert contents(mirror) == anew(studio)

    def test_what_is_stamped_before_it_is_seen(self, studio, mirror):
        """A long transaction stamps its rows when it begins, and shows them when it ends."""
        stamp = studio.now
        studio.wait(100)
        sync_of(studio, mirror).run()
        studio.annotate(2, "cat")
        studio.rows[2].updated_at = stamp
        assert not sync_of(studio, mirror).run().complete
        mirror.set_note("wide_at", "0")  # half a minute later
        sync_of(studio, mirror).run()
        assert {item.task for item in mirror.annotations()} == {2}


class Elsewhere(LetterInputs):
    """Some texts are not there yet, or never."""

    def __init__(self, *late: str) -> None:
        super().__init__()
        self.late = set(late)

    def read(self, tasks):
        read = super().read(tasks)
        places = [n for n, task in enumerate(tasks) if task["data"]["text"] in self.late]
        X = read.X.copy()
        X[places] = 0
        X.eliminate_zeros()
        return replace(read, X=X, errors=dict.fromkeys(places, "late"), later=frozenset(places))


def test_what_was_not_there_is_looked_for_now_and_then(studio, mirror):
    inputs = Elsewhere("text 2", "text 4")
    sync_of(studio, mirror, inputs=inputs).run()
    assert mirror.errors() == {"late": 2}
    assert not features_of(mirror, 3).any()
    inputs.late = {"text 4"}
    studio.reads.clear()
    sync_of(studio, mirror, inputs=inputs).run()
    assert (mirror.errors(), data_reads(studio)) == ({"late": 2}, {})
    mirror.set_note("tried_again", str(time.time() - TRY_AGAIN - 1))
    sync_of(studio, mirror, inputs=inputs).run()
    assert (mirror.errors(), data_reads(studio)) == ({"late": 1}, {3: 1, 5: 1})
    np.testing.assert_array_equal(features_of(mirror, 3), row_of("text 2"))


def test_runs_of_ids_hold_no_other_task(studio, mirror):
    studio.delete_task(5)
    sync_of(studio, mirror).run()
    reader = reader_of(studio, mirror)
    assert reader.runs([]) == []
    assert reader.runs([2, 3, 4, 6, 8, 10]) == [(2, 6), (8, 8), (10, 10)]

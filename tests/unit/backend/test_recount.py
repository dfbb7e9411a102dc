"""What the cursor does not show is found by counting, and no difference is looked for twice."""

from __future__ import annotations

import time

import pytest

from ls_active.sync import recount
from ls_active.sync.recount import Recount
from tests.harness.mirrors import contents, open_mirror, reader_of, sync_of
from tests.harness.simulated import SimulatedLabelStudio

pytestmark = pytest.mark.usefixtures("quickly")


@pytest.fixture
def studio():
    return SimulatedLabelStudio([f"text {number}" for number in range(40)])


@pytest.fixture
def mirror(studio, tmp_path):
    with open_mirror(tmp_path) as opened:
        sync_of(studio, opened).run()
        studio.wait(500)
        yield opened


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(recount, "time", made)
    return made


def run(studio, mirror):
    return Recount(reader_of(studio, mirror)).run()


def listed(studio: SimulatedLabelStudio) -> int:
    """How many tasks were listed since the last call."""
    rows = sum(len(tasks) for _, tasks in studio.reads)
    studio.reads.clear()
    return rows


class TestTasks:
    def test_deletions_are_found_where_they_are(self, studio, mirror, monkeypatch):
        monkeypatch.setattr(recount, "BISECT_DOWN_TO", 4)
        for task in (1, 17, 40):
            studio.delete_task(task)
        listed(studio)
        assert run(studio, mirror).removed == 3
        assert sorted(mirror.states()) == sorted(studio.rows)
        assert listed(studio) <= 3 * 4

    def test_of_everything_deleted(self, studio, mirror):
        studio.rows.clear()
        assert run(studio, mirror).removed == 40
        assert mirror.counts() == (0, 0)

    def test_new_ones_that_no_stamp_shows(self, studio, mirror):
        [task] = studio.add_tasks(["new"])
        assert run(studio, mirror).added == 1
        assert task in mirror.states()


class TestAnnotations:
    def test_a_difference_may_last_a_minute_before_everything_is_compared(
        self, studio, mirror, clock
    ):
        annotation = studio.annotate(3, "cat")
        sync_of(studio, mirror).run()
        studio.delete_annotation(annotation, stamped=False)
        listed(studio)
        assert not run(studio, mirror).complete
        clock.now += recount.PATIENCE - 1
        assert not run(studio, mirror).complete
        assert listed(studio) == 0
        clock.now += 2
        assert run(studio, mirror).complete
        assert listed(studio) >= 40
        assert list(mirror.annotations()) == []
        assert run(studio, mirror).complete

    def test_one_that_went_away_by_itself_is_forgotten(self, studio, mirror, clock):
        studio.annotate(3, "cat")
        assert not run(studio, mirror).complete
        sync_of(studio, mirror).run()
        clock.now += recount.PATIENCE + 1
        annotation = studio.annotate(4, "cat")
        listed(studio)
        assert not run(studio, mirror).complete
        assert listed(studio) == 0
        assert annotation

    def test_one_that_is_not_in_the_tasks_is_accepted(self, studio, mirror, clock, monkeypatch):
        """Label Studio's own counters can be off; we would compare for ever."""
        count = studio.project

        def miscounted(project_id: int):
            project = count(project_id)
            object.__setattr__(project, "total_annotations_number", 5)
            return project

        monkeypatch.setattr(studio, "project", miscounted)
        assert not run(studio, mirror).complete
        clock.now += recount.PATIENCE + 1
        assert run(studio, mirror).complete
        listed(studio)
        assert run(studio, mirror).complete
        assert listed(studio) == 0


class TestSweeps:
    def test_once_a_day(self, studio, mirror, clock):
        listed(studio)
        run(studio, mirror)
        assert listed(studio) == 0
        clock.now += recount.SWEEP_EVERY + 1
        run(studio, mirror)
        assert listed(studio) == 40
        run(studio, mirror)
        assert listed(studio) == 0

    @pytest.mark.parametrize(
        "rules", [{"maximum_annotations": 2}, {"skip_queue": "IGNORE_SKIPPED"}]
    )
    def test_when_overlap_or_skip_rules_change(self, studio, mirror, rules):
        studio.annotate(3, "cat")
        studio.skip(4)
        sync_of(studio, mirror).run()
        before = mirror.table().is_labeled.sum()
        studio.fields |= rules
        run(studio, mirror)
        assert mirror.table().is_labeled.sum() != before
        with_sync = contents(mirror)
        run(studio, mirror)
        assert contents(mirror) == with_sync

    def test_are_made_up_for_when_killed_half_way(self, studio, mirror):
        studio.annotate(3, "cat")
        sync_of(studio, mirror).run()
        studio.fields["maximum_annotations"] = 2
        tasks = studio.tasks

        def killed(*args, **kwargs):
            raise KeyboardInterrupt

        studio.tasks = killed
        with pytest.raises(KeyboardInterrupt):
            run(studio, mirror)
        studio.tasks = tasks
        run(studio, mirror)
        assert not mirror.table().is_labeled.any()

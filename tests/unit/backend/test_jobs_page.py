"""Jobs that the page asks for, what runs as it shows it, and the tabs it makes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from ls_active import buttons, jobs
from ls_active.engine import wishes
from ls_active.engine.running import JobInHand
from ls_active.errors import (
    BadRequest,
    LabelStudioUnreachable,
    NotFoundInLabelStudio,
    QueueDown,
    StoreError,
)
from ls_active.label_studio.tabs import Tab, put_tab
from ls_active.loop import tabs
from ls_active.loop.gate import Gate
from ls_active.records.ledger import Ledger
from tests.harness.desk import desk_of_jobs
from tests.harness.quick import quick
from tests.harness.simulated_project import UID


@pytest.fixture
def desk(rig, studio, valkey):
    with quick(), desk_of_jobs(rig.settings, valkey, studio) as desk:
        rig.connect()
        yield desk


class FakeHttp:
    """Keeps tabs as the Data Manager does."""

    def __init__(self) -> None:
        self.views: list[dict] = [{"id": 1, "data": None}, {"id": 2, "data": {"title": "Default"}}]
        self.calls: list[str] = []

    def json(self, method, path, *, params=None, body=None):
        self.calls.append(method)
        if method == "GET":
            return self.views
        if method == "POST":
            self.views.append({"id": len(self.views) + 1, "data": body["data"]})
            return self.views[-1]
        [view] = [view for view in self.views if path.endswith(f"/{view['id']}")]
        view["data"] = body["data"]
        return view


class TestWhatIsNoted:
    def test_a_version_and_its_publication(self, desk, rig):
        rig.label(6)
        jobs.refit(UID)
        [job, *_] = Ledger.load(rig.store, UID).jobs
        assert (job.version, job.publication) == (1, rig.status.publication)
        assert job.why == "6 new labels"
        assert {"sync", "fit", "score", "import", "patch"} <= set(job.timings)

    def test_that_somebody_asked_for_it(self, desk, rig):
        rig.label(6)
        jobs.refit(UID)
        desk.coalescer.force(UID)
        jobs.refit(UID)
        assert Ledger.load(rig.store, UID).jobs[0].why == "asked for"

    def test_an_error_in_words(self, desk, rig, studio):
        studio.faults.down = LabelStudioUnreachable("Label Studio does not answer")
        jobs.refit(UID)
        [job, *_] = Ledger.load(rig.store, UID).jobs
        assert job.error == "Label Studio does not answer"

    def test_nothing_of_a_run_that_found_nothing(self, desk, rig):
        jobs.refit(UID)
        before = Ledger.load(rig.store, UID).jobs
        jobs.refit(UID)
        assert Ledger.load(rig.store, UID).jobs == before

    def test_the_stage_is_told_while_it_lasts(self, desk, rig, monkeypatch):
        rig.label(6)
        told = []
        plain = jobs._Run._tell

        def tell(run, stage, share):
            plain(run, stage, share)
            told.append(json.loads(desk.redis.get(f"al:{UID}:stage"))["stage"])

        monkeypatch.setattr(jobs._Run, "_tell", tell)
        jobs.refit(UID)
        assert {"sync", "fit", "score", "import"} <= set(told)
        assert not desk.redis.exists(f"al:{UID}:stage")


class TestWishes:
    """What somebody who pressed a button is told, however it ends."""

    def last(self, desk):
        wish = desk.wishes.all(UID)[0]
        return wish.action, wish.end, wish.said, wish.remedy

    def test_a_version_that_was_asked_for(self, desk, rig):
        rig.label(6)
        jobs.refit(UID)
        desk.coalescer.force(UID)
        jobs.refit(UID)
        assert self.last(desk) == ("retrain", "done", "al-2 was made", "")

    def test_a_version_that_cannot_be_made(self, desk, rig):
        rig.label(1)
        desk.coalescer.force(UID)
        jobs.refit(UID)
        action, end, said, remedy = self.last(desk)
        assert (action, end) == ("retrain", "refused")
        assert "at least 2 labels in 2 classes; 1 so far" in said
        assert "Label All Tasks" in remedy

    def test_a_version_that_has_to_wait_for_label_studio(self, desk, rig, studio):
        rig.label(6)
        desk.coalescer.force(UID)
        studio.faults.down = LabelStudioUnreachable("Label Studio does not answer")
        jobs.refit(UID)
        assert self.last(desk)[1:3] == ("asked", "Label Studio does not answer; it is tried again")
        studio.faults.down = None
        jobs.refit(UID)
        assert self.last(desk)[1:3] == ("done", "al-1 was made")
        assert len(desk.wishes.all(UID)) == 1

    def test_a_resync(self, desk, rig, studio):
        jobs.resync(UID)
        assert self.last(desk)[:2] == ("resync", "done")
        studio.faults.down = LabelStudioUnreachable("Label Studio does not answer")
        jobs.resync(UID)
        said = "Label Studio does not answer; it is tried again by itself"
        assert self.last(desk) == ("resync", "failed", said, "")

    def test_a_resync_that_read_nothing(self, desk, rig, studio):
        studio.gone = True
        jobs.resync(UID)
        assert self.last(desk)[1] == "refused"
        assert "has no project" in self.last(desk)[2]
        assert "give the key's user access" in self.last(desk)[3]

    def test_all_who_asked_for_a_version_are_told(self, desk, rig, studio):
        """One who presses, and Label Studio's Start Training, whose request takes the place."""
        rig.label(6)
        first, job = desk.ask_version(UID)
        desk.wishes.ask(UID, "retrain", "a new version is being made", wish=first, job=job)
        desk.start_training(UID)
        studio.faults.down = LabelStudioUnreachable("Label Studio does not answer")
        jobs.refit(UID)
        studio.faults.down = None
        jobs.refit(UID)
        found = desk.wishes.all(UID)
        assert len(found) == 2
        assert {(wish.end, wish.said) for wish in found} == {("done", "al-1 was made")}

    def test_one_who_asks_while_a_version_is_made_waits_for_the_next(self, desk, rig, studio):
        rig.label(6)
        desk.ask_version(UID)
        desk.wishes.ask(UID, "retrain", "asked", wish="later", job="none")
        assert desk.wishes.open(UID, "retrain", time.time() - 60) == []
        assert desk.wishes.open(UID, "retrain", time.time()) == ["later"]

    def test_a_version_of_a_project_that_is_gone(self, desk, studio):
        desk.start_training(UID)
        studio.gone = True
        jobs.refit(UID)
        assert self.last(desk)[1] == "refused"
        assert "give the key's user access" in self.last(desk)[3]

    def test_a_job_is_not_undone_where_nobody_can_be_told(self, desk, rig, studio, monkeypatch):
        def silent(*_: object, **__: object) -> None:
            raise QueueDown("Redis does not answer")

        rig.label(6)
        desk.start_training(UID)
        monkeypatch.setattr(wishes.Wishes, "end", silent)
        studio.faults.down = LabelStudioUnreachable("Label Studio does not answer")
        jobs.refit(UID)
        assert rig.status.state == "failing"
        studio.faults.down = None
        jobs.refit(UID)
        assert rig.store.versions(UID) == [1]
        assert not desk.trains(UID)
        assert desk.get(f"al:{UID}:failures") is None
        jobs.resync(UID)
        assert rig.status.state == "ready"

    def test_a_job_that_the_queue_tries_again_stays_asked_for(self, desk, monkeypatch):
        def full(*_: object) -> None:
            raise StoreError("cannot use pin.json: No space left on device")

        monkeypatch.setattr(buttons.ModelShelf, "pin", full)
        job = desk.queue.fetch_job(desk.ask("pin", UID, 1))
        monkeypatch.setattr(wishes, "get_current_job", lambda: job)
        for left, end in ((1, "asked"), (0, "failed")):
            job.retries_left = left
            with pytest.raises(StoreError):
                jobs.pin(UID, 1)
            assert self.last(desk)[1] == end
            assert "it is tried again" in self.last(desk)[2] or not left

    @pytest.mark.parametrize("text", ["{", "\xff", '{"id": "x"}', "[]", '{"id": 1}'])
    def test_a_wish_that_cannot_be_read_hides_no_other(self, desk, text):
        desk.wishes.end(UID, "tab", wishes.Told("made"))
        desk.redis.hset(f"al:{UID}:wishes", "odd", text)
        assert [wish.said for wish in desk.wishes.all(UID)] == ["made"]

    def test_a_wish_of_a_later_release_is_read(self, desk):
        wish = {"id": "a", "action": "tab", "at": 1.0, "end": "done", "said": "made", "by": "ann"}
        desk.redis.hset(f"al:{UID}:wishes", "a", json.dumps(wish))
        assert [wish.said for wish in desk.wishes.all(UID)] == ["made"]

    def test_a_version_that_is_held_and_let_go(self, desk, rig):
        rig.label(6)
        jobs.refit(UID)
        jobs.pin(UID, 1)
        assert self.last(desk)[:3] == ("hold", "done", "al-1 is held, and published next")
        jobs.pin(UID, None)
        assert self.last(desk)[:2] == ("release", "done")

    def test_a_pin_that_cannot_be_written(self, desk, monkeypatch):
        def full(*_: object) -> None:
            raise StoreError("cannot use pin.json: No space left on device")

        monkeypatch.setattr(buttons.ModelShelf, "pin", full)
        with pytest.raises(StoreError):
            jobs.pin(UID, 1)
        assert self.last(desk)[1:3] == ("failed", "cannot use pin.json: No space left on device")
        assert "can be written" in self.last(desk)[3]

    def test_two_admins_at_once_one_holds_and_the_other_promotes(self, desk, rig):
        rig.label(6)
        jobs.refit(UID)
        Gate(rig.store, UID)._write({3: "worse"})
        jobs.pin(UID, 1)
        jobs.promote(UID, 3)
        assert self.last(desk)[1:3] == ("refused", "al-1 was held meanwhile, and stays in force")

    def test_a_tab(self, desk, studio):
        studio.http = FakeHttp()
        jobs.tab(UID, "queue")
        assert self.last(desk)[:2] == ("tab", "done")
        assert "Active queue" in self.last(desk)[2]

    def test_a_tab_of_a_project_that_is_gone(self, desk, studio):
        studio.gone = True
        with pytest.raises(NotFoundInLabelStudio):
            jobs.tab(UID, "queue")
        assert self.last(desk)[1] == "failed"
        assert "gone from Label Studio" in self.last(desk)[2]

    def test_a_bug(self, desk, monkeypatch):
        def broken(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(buttons, "make_tab", broken)
        with pytest.raises(ZeroDivisionError):
            jobs.tab(UID, "queue")
        assert self.last(desk)[1:] == (
            "failed", "an unexpected error", "the worker's log has it whole",
        )  # fmt: skip

    def test_only_the_last_are_kept(self, desk):
        for number in range(3 * wishes.KEPT):
            desk.wishes.end(UID, "tab", wishes.Told(str(number)))
        found = [wish.said for wish in desk.wishes.all(UID)]
        assert found[0] == str(3 * wishes.KEPT - 1)
        assert wishes.KEPT <= len(found) <= 2 * wishes.KEPT

    def test_a_job_that_is_quicker_than_who_asked_is_not_undone(self, desk):
        wish = desk.wishes.end(UID, "tab", wishes.Told("made"))
        desk.wishes.ask(UID, "tab", "is being made", wish=wish, job=wish)
        assert self.last(desk)[1] == "done"


class TestJobs:
    def test_a_resync_reads_everything_anew(self, desk, rig, studio):
        rig.label(4)
        jobs.refit(UID)
        studio.reads.clear()
        jobs.resync(UID)
        read = {task for _, ids in studio.reads for task in ids}
        assert read == set(studio.rows)
        assert rig.status.labels == 4

    def test_promoting_opens_the_gate_for_one_version(self, desk, rig):
        Gate(rig.store, UID)._write({3: "worse", 4: "worse"})
        jobs.promote(UID, 3)
        assert set(Gate(rig.store, UID).held) == {4}
        assert desk.coalescer.queued(UID)

    def test_the_desk_says_what_waits(self, desk):
        job_id = desk.ask("resync", UID)
        assert desk.in_hand() == [JobInHand(job_id, "resync", UID)]

    def test_a_disconnected_project_gets_no_tab(self, desk, rig, studio):
        studio.http = FakeHttp()
        rig.change(active=False)
        jobs.tab(UID, "queue")
        assert studio.http.calls == []

    def test_a_tab_is_made_in_the_project(self, desk, studio):
        studio.http = FakeHttp()
        jobs.tab(UID, "queue")
        assert studio.http.views[-1]["data"]["ordering"] == ["tasks:predictions_score"]
        assert "Label All Tasks" in studio.http.views[-1]["data"]["title"]


class TestTabs:
    def test_one_of_the_same_title_is_brought_up_to_date(self):
        http = FakeHttp()
        first = put_tab(http, 1, Tab("Suspect labels", tasks=[1]))
        assert put_tab(http, 1, Tab("Suspect labels", tasks=[2])) == first
        assert http.views[-1]["data"]["filters"]["items"][0]["value"] == 2
        assert len(http.views) == 3

    def test_without_tasks_it_shows_none_rather_than_all(self):
        [item] = Tab("Suspect labels", tasks=[]).data["filters"]["items"]
        assert (item["filter"], item["value"]) == ("filter:tasks:id", 0)

    def test_suspects_of_all_controls_the_most_doubtful_first(self, desk, rig):
        rig.label(6)
        jobs.refit(UID)
        number, evaluation = tabs.newest_evaluation(rig.store, UID)
        assert number == 1
        doubts = [[{"task": 3, "score": 0.5}, {"task": 4, "score": 0.9}], None, [{"task": 3}]]
        path = Path(rig.settings.data_dir, "projects", UID, "versions", "000001.evaluation.json")
        path.write_text(json.dumps({**evaluation, "format": 1, "suspects": doubts}))
        assert tabs.suspect_tasks(rig.store, UID) == [4, 3]

    def test_an_unknown_kind_lists_those_there_are(self, studio, rig):
        with pytest.raises(BadRequest, match="suspects, queue"):
            tabs.make_tab(studio, rig.store, UID, "everything")

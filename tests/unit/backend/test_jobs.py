"""What a job does around converging: takes wishes along, says what went wrong, comes again."""

from __future__ import annotations

import json
import time

import pytest
from redis.exceptions import TimeoutError as RedisTimeout

from ls_active import jobs
from ls_active.errors import LabelStudioUnreachable, LockLost, NotFound
from ls_active.job_desk import ADOPT_AFTER, JobDesk
from ls_active.jobs import DEAF_AFTER, LOOK_EVERY, POLL_EVERY, RECONCILE_EVERY, RETRY_FIRST
from ls_active.loop.converge import Result
from ls_active.records.project import Connection
from ls_active.schemas import SetupRequest
from tests.harness.desk import desk_of_jobs
from tests.harness.rig import OWN_URL
from tests.harness.simulated_project import CONFIG, UID

pytestmark = pytest.mark.usefixtures("quickly")


@pytest.fixture
def desk(rig, studio, valkey):
    with desk_of_jobs(rig.settings, valkey, studio) as desk:
        yield desk


@pytest.fixture
def connected(desk, rig, studio):
    """Connected as Label Studio does it."""
    studio.connect(OWN_URL, "our model", rig.options)
    wish_to_look(desk)
    jobs.refit(UID)
    return rig


def wish_to_look(desk: JobDesk, digest: str = "digest") -> None:
    """Note what /setup does, as if no look had been taken lately."""
    desk.redis.delete(f"al:{UID}:looked")
    desk.redis.set(f"al:{UID}:look", f"{digest} {OWN_URL}")


def due_in(desk: JobDesk) -> float | None:
    moment = desk.redis.zscore("al:due", UID)
    return None if moment is None else moment - time.time()


def run_later(desk: JobDesk) -> float:
    """Run the job once more, and return when it is due again."""
    desk.redis.delete("al:due")
    jobs.refit(UID)
    return due_in(desk)


class TestConnecting:
    def test_adopts_what_setup_told_of(self, connected, desk, studio):
        assert connected.connection.adopted
        assert studio.serves_whole()
        assert desk.get(f"al:{UID}:look") is None

    def test_waits_for_the_row(self, desk, rig, studio):
        wish_to_look(desk)
        jobs.refit(UID)
        assert rig.status.state == "adopting"
        assert 0 < due_in(desk) <= 2
        studio.connect(OWN_URL, "our model", rig.options)
        jobs.refit(UID)
        assert studio.serves_whole()

    def test_again_remembers_what_is_to_be_put_back(self, connected, desk, studio):
        original = connected.connection.original
        studio.delete_ml_backend(studio.backends[0]["id"])
        wish_to_look(desk)
        jobs.refit(UID)
        assert not connected.connection.active
        studio.connect(OWN_URL, "our model", connected.options)
        wish_to_look(desk)
        jobs.refit(UID)
        assert connected.connection.original == original
        jobs.disconnect(UID)
        assert studio.fields["sampling"] == "Sequential sampling"

    @pytest.mark.parametrize("gone", [True, False])
    def test_that_was_given_up_begins_with_the_same_setup(self, desk, rig, studio, gone):
        """A key without access, or the address of another Label Studio: mended, and sent again."""
        studio.connect(OWN_URL, "our model", rig.options)
        studio.gone, uid = gone, studio.fields["uid"]
        studio.fields["uid"] = uid if gone else "1.999"
        request = SetupRequest(project=UID, label_config=CONFIG, hostname="http://ls")
        desk.setup(request, OWN_URL)
        jobs.refit(UID)
        assert rig.status.state == ("gone" if gone else "refused")
        studio.gone, studio.fields["uid"] = False, uid
        desk.setup(request, OWN_URL)
        assert due_in(desk) <= ADOPT_AFTER
        jobs.refit(UID)
        assert studio.serves_whole()

    def test_looks_only_now_and_then(self, connected, desk, studio):
        """A look makes Label Studio call /setup, and that asks for another."""
        before = studio.calls["ml_backends"]
        desk.redis.set(f"al:{UID}:look", f"another {OWN_URL}")
        jobs.refit(UID)
        assert studio.calls["ml_backends"] == before
        assert desk.get(f"al:{UID}:look") == f"another {OWN_URL}"
        assert 0 < due_in(desk) <= LOOK_EVERY
        desk.redis.delete(f"al:{UID}:looked")
        jobs.refit(UID)
        assert studio.calls["ml_backends"] > before
        assert desk.get(f"al:{UID}:look") is None

    def test_keeps_a_wish_that_came_while_it_worked(self, connected, desk, studio, monkeypatch):
        wish_to_look(desk)
        look = studio.ml_backends

        def meanwhile(project_id):
            desk.redis.set(f"al:{UID}:look", f"newer {OWN_URL}")
            return look(project_id)

        monkeypatch.setattr(studio, "ml_backends", meanwhile)
        jobs.refit(UID)
        assert desk.get(f"al:{UID}:look") == f"newer {OWN_URL}"

    def test_forgets_the_setup_of_a_project_it_left(self, connected, desk, studio):
        """The same /setup may come again, and is news then."""
        desk.redis.set(f"al:{UID}:setup", "digest")
        studio.delete_ml_backend(studio.backends[0]["id"])
        wish_to_look(desk)
        jobs.refit(UID)
        assert desk.get(f"al:{UID}:setup") is None

    def test_a_project_nobody_connected_is_nobodys_business(self, desk, studio):
        jobs.refit(UID)
        assert (studio.calls, due_in(desk)) == ({}, None)


class TestTheNextRun:
    def test_reconciles(self, connected, desk):
        assert RECONCILE_EVERY - 5 < run_later(desk) <= RECONCILE_EVERY

    def test_polls_without_a_webhook(self, connected, desk):
        connected.change(webhook=False)
        assert 0 < run_later(desk) <= POLL_EVERY

    def test_polls_where_webhooks_do_not_arrive(self, connected, desk, studio):
        studio.annotate(1, "cat")
        assert run_later(desk) <= POLL_EVERY
        assert desk.is_deaf(UID)
        assert run_later(desk) <= POLL_EVERY
        desk.redis.set(f"al:{UID}:heard", time.time())
        assert run_later(desk) > POLL_EVERY
        assert not desk.is_deaf(UID)

    def test_of_what_a_webhook_told_is_not_called_deaf(self, connected, desk, studio):
        desk.redis.set(f"al:{UID}:heard", time.time() - DEAF_AFTER + 10)
        studio.annotate(1, "cat")
        assert run_later(desk) > POLL_EVERY

    def test_comes_when_the_pause_is_over(self, desk, rig, studio):
        rig.options["min_interval"] = 20
        studio.connect(OWN_URL, "our model", rig.options)
        wish_to_look(desk)
        jobs.refit(UID)
        rig.label(2)
        jobs.refit(UID)
        rig.label(1)
        desk.redis.set(f"al:{UID}:heard", time.time())
        desk.hint_now(UID)
        asked = float(desk.get(f"al:{UID}:asked"))
        assert 10 < run_later(desk) <= 20
        assert float(desk.get(f"al:{UID}:asked")) == pytest.approx(asked, abs=0.01)

    def test_leaves_label_studio_alone_while_a_publication_waits(self, desk, rig, studio):
        rig.options["min_interval"] = 60
        studio.connect(OWN_URL, "our model", rig.options)
        wish_to_look(desk)
        jobs.refit(UID)
        rig.label(2)
        jobs.refit(UID)
        rig.label(1)
        jobs.refit(UID)
        labels = rig.status.labels
        rig.label(1)
        assert 5 < run_later(desk) <= 10
        assert rig.status.labels == labels
        desk.start_training(UID)
        jobs.refit(UID)
        assert rig.status.labels == labels + 1

    def test_after_a_wish_looks_at_once(self, desk, rig, studio):
        rig.options["min_interval"] = 60
        studio.connect(OWN_URL, "our model", rig.options)
        wish_to_look(desk)
        jobs.refit(UID)
        for count in (2, 1, 1):
            rig.label(count)
            jobs.refit(UID)
        jobs.pin(UID, None)
        jobs.refit(UID)
        assert rig.status.labels == 4

    def test_is_not_put_off_by_a_run_that_was_under_way(self, connected, desk, monkeypatch):
        looks = []

        def converge(*_args, **_options):
            if not looks:
                desk.hint_now(UID)  # what a pin does, in another worker
            looks.append(1)
            return Result(again_in=600.0, pause=600.0)

        monkeypatch.setattr(jobs._Run, "_converge", converge)
        jobs.refit(UID)
        jobs.refit(UID)
        assert len(looks) == 2
        jobs.refit(UID)
        assert len(looks) == 2

    def test_of_a_new_connection_does_not_rest(self, connected, desk):
        desk.rest.begin(UID, 600.0, desk.rest.woken(UID))
        connected.change(active=False, adopted=False)
        wish_to_look(desk)
        jobs.refit(UID)
        assert Connection.load(desk.store, UID).active

    def test_comes_although_the_page_has_no_line_for_it(self, connected, desk, monkeypatch):
        def broken(*_args, **_facts):
            raise KeyError("tasks")

        monkeypatch.setattr(jobs, "note_job", broken)
        assert run_later(desk) > RETRY_FIRST
        assert connected.status.state == "waiting"

    def test_knows_the_label_config(self, connected, desk):
        assert desk.get(f"al:{UID}:config") == jobs.digest_of(CONFIG).hex()

    def test_notes_how_long_somebody_waited(self, connected, desk, studio):
        connected.label(4)
        desk.redis.set(f"al:{UID}:asked", time.time() - 7)
        jobs.refit(UID)
        assert 7 <= connected.status.timings["wait"] < 60


class TestFailing:
    def test_is_said_and_tried_again_ever_later(self, connected, desk, studio):
        studio.faults.down = LabelStudioUnreachable("it does not answer")
        assert RETRY_FIRST - 1 < run_later(desk) <= RETRY_FIRST
        assert connected.status.state == "failing"
        assert connected.status.detail == "it does not answer"
        assert RETRY_FIRST < run_later(desk) <= 2 * RETRY_FIRST
        for _ in range(8):
            last = run_later(desk)
        assert 290 < last <= 300
        studio.faults.down = None
        connected.label(4)
        run_later(desk)
        assert (connected.status.state, connected.status.labels) == ("ready", 4)
        assert not desk.redis.exists(f"al:{UID}:failures")

    def test_keeps_the_wishes(self, connected, desk, studio):
        connected.label(4)
        jobs.refit(UID)
        desk.start_training(UID)
        wish_to_look(desk)
        studio.faults.down = LabelStudioUnreachable("it does not answer")
        jobs.refit(UID)
        assert desk.get(f"al:{UID}:look") == f"digest {OWN_URL}"
        assert connected.store.versions(UID) == [1]
        studio.faults.down = None
        jobs.refit(UID)
        jobs.refit(UID)
        assert connected.store.versions(UID) == [1, 2]
        assert desk.coalescer.forced(UID) is None

    def test_of_a_kind_nobody_foresaw_is_said_and_waits(
        self, connected, desk, studio, monkeypatch, caplog
    ):
        def stumble(*args, **kwargs):
            raise ZeroDivisionError

        monkeypatch.setattr(studio, "project", stumble)
        jobs.refit(UID)
        assert "an unexpected error" in connected.status.detail
        assert "ZeroDivisionError" in caplog.text
        assert not desk.coalescer.overdue(UID)

    @pytest.mark.parametrize("error", [LockLost("another worker took it"), RedisTimeout("silent")])
    def test_is_not_what_another_worker_does_nor_a_redis_that_is_silent(
        self, connected, desk, monkeypatch, caplog, error
    ):
        def lose(*args, **kwargs):
            raise error

        before = connected.status
        monkeypatch.setattr(jobs, "converge", lose)
        with pytest.raises(type(error)):
            jobs.refit(UID)
        assert connected.status == before
        assert "an unexpected error" not in caplog.text
        assert not desk.redis.exists(f"al:{UID}:failures")


class TestOtherJobs:
    def test_disconnect_outdoes_a_setup_of_before(self, connected, desk):
        wish_to_look(desk)
        jobs.disconnect(UID)
        jobs.refit(UID)
        assert connected.status.state == "disconnected"

    def test_pin_holds_a_version_and_asks_for_its_queue(self, connected, desk, studio):
        for _ in range(2):
            connected.label(2)
            connected.run()
        desk.redis.delete(f"al:{UID}:queued")
        jobs.pin(UID, 1)
        assert desk.queue.count == 1
        connected.run()
        assert studio.fields["model_version"].startswith("al-1.")
        with pytest.raises(NotFound):
            jobs.pin(UID, 9)

    def test_poll_needs_no_backend_row(self, desk, rig, studio):
        jobs.poll(UID, json.dumps({"seed": 3}))
        known = rig.connection
        assert (known.active, known.own_url, known.extra_params) == (True, "", {"seed": 3})
        assert studio.serves_whole()

    def test_poll_again_keeps_what_is_to_be_put_back(self, desk, rig, studio):
        original = {"sampling": "x", "model_version": ""}
        rig.change(active=False, adopted=True, original=original)
        jobs.poll(UID, '"seed=3"')
        assert (rig.connection.active, rig.connection.original) == (True, original)
        # It was adopted anew.
        assert studio.fields["sampling"] == "Uncertainty sampling"
        jobs.poll(UID, "null")
        assert rig.connection.extra_params == "seed=3"

    def test_disconnect_gives_the_project_back(self, connected, desk, studio):
        desk.redis.set(f"al:{UID}:setup", "digest")
        jobs.disconnect(UID)
        assert connected.status.state == "disconnected"
        assert (studio.backends, studio.version_counts()) == ([], {})
        assert desk.get(f"al:{UID}:setup") is None
        jobs.refit(UID)
        assert connected.status.state == "disconnected"

    def test_disconnect_lets_go_of_a_held_version(self, connected, desk):
        connected.label(6)
        connected.run()
        jobs.pin(UID, 1)
        run_later(desk)
        assert "held by a rollback" in connected.status.detail
        assert "--unpin" in connected.status.remedy
        jobs.disconnect(UID)
        assert desk.store.read(UID, "pin") is None

    def test_disconnect_of_a_project_that_is_gone(self, connected, studio):
        studio.gone = True
        jobs.disconnect(UID)
        assert not connected.connection.active
        assert connected.status.state == "disconnected"

    def test_disconnect_leaves_another_project_of_the_same_number(self, connected, studio):
        studio.fields["uid"] = "1.999"
        before = dict(studio.fields)
        jobs.disconnect(UID)
        assert (studio.fields, len(studio.backends)) == (before, 1)
        assert not connected.connection.active

    def test_disconnect_of_one_that_nobody_connected(self, desk, studio):
        jobs.disconnect("9.9")
        assert studio.calls == {}

    def test_mend_puts_right_at_once_what_others_changed(self, connected, studio):
        connected.change(adopted_at=1.0, contested_at=time.time())
        studio.fields |= {"model_version": "", "sampling": "Sequential sampling"}
        studio.hooks.clear()
        jobs.mend(UID)
        assert studio.serves_whole()
        assert studio.fields["sampling"] == "Uncertainty sampling"
        assert studio.hooks[0]["headers"]

    def test_mend_leaves_what_is_not_connected(self, desk, studio):
        Connection(UID, own_url=OWN_URL, active=False).save(desk.store)
        jobs.mend(UID)
        assert studio.effect.names == []

    def test_wait_for_the_one_that_holds_the_project(self, connected, desk, monkeypatch):
        monkeypatch.setattr(jobs, "LOCK_WAIT", 0.3)
        with desk.coalescer.lock(UID):
            with pytest.raises(LockLost, match=r"was busy for 0\.3 s"):
                jobs.disconnect(UID)
            assert connected.connection.active
        jobs.disconnect(UID)
        assert not connected.connection.active

    def test_refit_leaves_the_project_to_the_one_that_holds_it(self, connected, desk, studio):
        before = sum(studio.calls.values())
        with desk.coalescer.lock(UID):
            jobs.refit(UID)
        assert sum(studio.calls.values()) == before

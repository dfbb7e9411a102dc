"""What is remembered of a connection, and what is said about a project, survive a restart."""

from __future__ import annotations

import time

import pytest

from ls_active.errors import StoreError
from ls_active.options import Options
from ls_active.records.project import Connection, ProjectStatus, State
from tests.harness.simulated_project import UID


class TestConnection:
    def test_comes_back_as_it_was(self, store):
        connection = Connection(
            UID,
            own_url="http://loop.example",
            extra_params={"seed": 3},
            original={"sampling": "x"},
            titles=("a", "b"),
            resolved_at_start=7,
        )
        connection.save(store)
        assert Connection.load(store, UID) == connection

    def test_of_an_unknown_project_is_none(self, store):
        assert Connection.load(store, UID) is None

    def test_of_another_release_is_read_as_far_as_it_goes(self, store):
        store.write(UID, "connection", {"uid": UID, "adopted": True, "from_the_future": 1})
        assert Connection.load(store, UID) == Connection(UID, adopted=True)

    @pytest.mark.parametrize("damage", [{"titles": 5}, {"titles": None}])
    def test_that_somebody_damaged_says_so(self, store, damage):
        store.write(UID, "connection", damage)
        with pytest.raises(StoreError, match=r"connection\.json is damaged"):
            Connection.load(store, UID)

    def test_that_lost_its_uid_is_read(self, store):
        store.write(UID, "connection", {"adopted": True})
        assert Connection.load(store, UID) == Connection(UID, adopted=True)

    def test_names_the_project_and_how_news_comes(self):
        assert Connection("12.1795351743").project_id == 12
        assert Connection(UID).polling
        assert not Connection(UID, webhook=True).polling

    def test_made_anew_still_knows_what_is_to_be_put_back(self):
        old = Connection(UID, active=False, original={"sampling": "x"}, resolved_at_start=3)
        new = old.renewed(own_url="http://loop.example")
        assert new == Connection(UID, own_url="http://loop.example", original={"sampling": "x"})

    @pytest.mark.parametrize("given", [{"seed": 5}, '{"seed": 5}', "seed = 5"])
    def test_options_go_over_the_defaults(self, given):
        options, problem = Connection(UID, extra_params=given).options("seed=1\nhead_size=7")
        assert (options, problem) == (Options(seed=5, head_size=7), "")

    def test_bad_options_leave_the_defaults_and_say_why(self):
        options, problem = Connection(UID, extra_params={"sed": 5}).options("head_size=7")
        assert options == Options(head_size=7)
        assert "unknown option 'sed'" in problem


class TestStatus:
    def test_is_empty_before_the_first_word(self, store):
        assert ProjectStatus.load(store, UID) == ProjectStatus(UID)

    def test_comes_back_as_it_was(self, store):
        status = ProjectStatus(UID).now(State.READY, "fine", labels=3, timings={"fit": 0.5})
        status.save(store)
        again = ProjectStatus.load(store, UID)
        assert (again.state, again.labels, again.timings) == ("ready", 3, {"fit": 0.5})

    def test_since_stays_while_the_state_does(self, monkeypatch):
        moments = iter([10.0, 20.0, 30.0])
        monkeypatch.setattr(time, "time", lambda: next(moments))
        first = ProjectStatus(UID).now(State.READY, "one")
        second = first.now(State.READY, "two")
        third = second.now(State.FAILING, "three", "do this")
        assert (first.since, first.updated_at) == (10.0, 10.0)
        assert (second.since, second.updated_at, second.detail) == (10.0, 20.0, "two")
        assert (third.since, third.remedy) == (30.0, "do this")

    def test_words_of_the_last_state_do_not_stay(self):
        failing = ProjectStatus(UID).now(State.FAILING, "no answer", "start it", labels=4)
        ready = failing.now(State.READY)
        assert (ready.detail, ready.remedy, ready.labels) == ("", "", 4)

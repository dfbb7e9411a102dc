"""Connecting, keys, options, leaving: what admins do, and what others do to us."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ls_active.demo.studio import Studio
from ls_active.label_studio.client import LabelStudioClient
from ls_active.records.project import Connection
from tests.harness.case import Case
from tests.harness.data import short_texts
from tests.harness.label_studio import label_studio
from tests.harness.stack import serve


class TestLeaving:
    def test_disconnecting_restores_what_was_and_connecting_again_works(self, make_case):
        case = make_case(texts=60, sampling="Sequential sampling")
        _predict_by_hand(case, "theirs")
        case.client.update_project(case.id, model_version="theirs")
        case.connect(min_interval=0, busy_share=1)
        case.label_both_ways(4)
        case.wait_learned()
        case.stack.desk.ask("disconnect", case.uid)
        case.wait_for(lambda status: status.state == "disconnected")
        project = case.project
        assert (project.sampling, project.model_version) == ("Sequential sampling", "theirs")
        assert case.client.webhooks(case.id) == []
        assert case.client.ml_backends(case.id) == []
        assert case.predictions == {"theirs": 1}
        before = len(case.publications())
        case.label(2)
        case.connect(min_interval=0, busy_share=1)
        assert len(case.publications()) > before
        case.wait_learned()
        assert case.project.sampling == "Uncertainty sampling"

    def test_a_backend_removed_in_label_studio_is_a_goodbye(self, make_case):
        case = make_case(texts=40)
        case.connect(min_interval=0, busy_share=1)
        case.client.delete_ml_backend(case.backend)
        _remember(case, backends_seen_at=0.0)
        case.stack.desk.hint_now(case.uid)
        case.wait_for(lambda status: status.state == "disconnected")


class TestNeighbours:
    @pytest.mark.slow
    def test_two_projects_of_one_backend_stay_apart(self, make_case):
        here, there = make_case(texts=40), make_case(texts=50)
        here.connect(min_interval=0, busy_share=1)
        there.connect(min_interval=0, busy_share=1, strategy="entropy")
        here.label_both_ways(4)
        here.wait_learned()
        assert there.versions == []
        there.label_both_ways(6)
        there.wait_learned()
        assert set(here.queue()["tasks"]) == set(here.truth) - set(here.said())
        assert set(there.queue()["tasks"]) == set(there.truth) - set(there.said())
        assert (here.status.labels, there.status.labels) == (4, 6)
        assert here.status.strategy.startswith("auto: ")
        assert there.status.strategy == "entropy"

    def test_another_label_studio_with_the_same_ids_is_not_taken_for_ours(
        self, make_case, neighbour
    ):
        """The same id here and there, made at another time: theirs is refused, ours untouched."""
        with _owner(neighbour) as client:
            ours = make_case(texts=40)
            theirs = Case.create(client, ours.stack, "stranger", [("text", "tech")])
            # Made in one second, nothing could tell them apart.
            while theirs.id != ours.id or theirs.uid == ours.uid:
                if theirs.id > ours.id:
                    ours = make_case(texts=40)
                else:
                    theirs = Case.create(client, ours.stack, "stranger", [("text", "tech")])
            ours.connect(min_labels=1000)
            queue = ours.project.model_version
            client.connect_ml_backend(theirs.id, ours.stack.url, "stranger")
            status = theirs.wait_for(lambda status: status.state == "refused")
            assert ours.uid in status.detail
            assert theirs.project.sampling == "Sequential sampling"
        project = ours.project
        assert (project.sampling, project.model_version) == ("Uncertainty sampling", queue)
        assert ours.status.state == "waiting"

    @pytest.mark.slow
    def test_a_fresh_label_studio_at_the_same_address_starts_from_nothing(self, tmp_path):
        with (
            label_studio(tmp_path / "old") as old,
            _owner(old) as client,
            serve(tmp_path / "service", old.url, old.api_key) as stack,
        ):
            before = Case.create(client, stack, "before", short_texts(40))
            before.connect(min_interval=0, busy_share=1)
            before.label_both_ways(4)
            before.wait_learned()
            old.stop()
            with label_studio(tmp_path / "new", port=old.port) as new, _owner(new) as again:
                after = Case.create(again, stack, "after", short_texts(30, seed=1))
                assert (after.id, *after.truth) == (before.id, *list(before.truth)[:30])
                after.connect(min_interval=0, busy_share=1)
                assert (after.status.tasks, after.status.labels) == (30, 0)
                after.label_both_ways(6)
                after.wait_learned()
                assert set(after.queue()["tasks"]) <= set(after.truth)
                before.wait_for(lambda status: status.state == "refused")


class TestOptions:
    @pytest.mark.slow
    def test_bad_ones_keep_the_last_good_and_are_explained(self, make_case):
        case = make_case(texts=40)
        case.connect(min_interval=0, busy_share=1, strategy="entropy")
        case.label_both_ways(4)
        case.wait_learned()
        case.set_options({"strategy": "coin", "colour": "blue"})
        status = case.wait_for(lambda status: bool(status.warnings))
        [warning] = status.warnings
        for part in ("'coin'", "'colour'", "Valid options: strategy=auto"):
            assert part in warning
        assert status.strategy == "entropy"
        case.set_options("strategy = least_confidence\nmin_interval = 0\nbusy_share = 1")
        case.wait_for(lambda status: not status.warnings and status.strategy == "least_confidence")

    def test_a_new_connection_with_bad_ones_is_refused(self, make_case):
        case = make_case(texts=10)
        with pytest.raises(Exception, match="422"):
            case.connect(strategy="coin")
        assert case.project.sampling == "Sequential sampling"
        assert "must be one of" in case.stack.log.read_text()


class TestOthersSteering:
    @pytest.mark.slow
    def test_a_foreign_model_version_is_put_back_once(self, make_case):
        case = make_case(texts=40)
        case.connect(min_interval=0, busy_share=1, min_labels=1000)
        _predict_by_hand(case, "theirs")
        _settle(case)
        case.client.update_project(case.id, model_version="theirs")
        case.wait_until(lambda: case.project.model_version.startswith("al-"))
        case.client.update_project(case.id, model_version="theirs")
        status = case.wait_for(lambda status: status.state == "contested")
        assert "model version" in status.detail
        assert case.project.model_version == "theirs"

    def test_it_is_left_alone_where_that_was_asked_for(self, make_case):
        case = make_case(texts=40)
        case.connect(min_interval=0, busy_share=1, min_labels=1000, on_contested="leave")
        _settle(case)
        case.client.update_project(case.id, sampling="Sequential sampling")
        case.wait_for(lambda status: status.state == "contested")
        assert case.project.sampling == "Sequential sampling"


def _owner(studio: Studio) -> LabelStudioClient:
    return LabelStudioClient(studio.url, studio.api_key)


def _predict_by_hand(case: Case, version: str) -> None:
    [task, *_] = case.truth
    region = {**case.annotator().result("tech")[0]}
    case.client.import_predictions(
        case.id, [{"task": task, "result": [region], "score": 0.5, "model_version": version}]
    )


def _settle(case: Case) -> None:
    """Make it long ago that the project was adopted: at first everything is put back."""
    _remember(case, adopted_at=time.time() - 3600)


def _remember(case: Case, **changes: Any) -> None:
    def changed() -> bool:
        with case.stack.desk.coalescer.lock(case.uid) as lock:
            connection = Connection.load(case.stack.store, case.uid)
            if lock is not None and connection is not None:
                connection.but(**changes).save(case.stack.store)
            return lock is not None

    case.wait_until(changed, 20)

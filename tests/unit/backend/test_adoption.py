"""A project is taken over, kept, and given back as it was; nobody else's things are touched."""

from __future__ import annotations

import pytest

from ls_active.loop.adoption import CONTEST_PAUSE, SAMPLING, find_backend
from ls_active.records.secret import SECRET_HEADER, webhook_secret
from tests.harness.rig import OWN_URL, TEXTS, Rig
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_project import UID

OTHER_URL = "http://other.example:9090"


pytestmark = pytest.mark.usefixtures("quickly")


def settle(rig: Rig) -> None:
    """Let an hour pass since adopting, in which nobody else wrote."""
    rig.change(adopted_at=rig.connection.adopted_at - 3600)


OURS = {"id": 1, "url": f"{OWN_URL}/"}
THEIRS = {"id": 2, "url": OTHER_URL}


class TestFindingOurRow:
    def test_at_our_address(self):
        assert find_backend([THEIRS, OURS], OWN_URL) == OURS

    def test_by_its_number_wherever_it_went(self):
        assert find_backend([OURS, THEIRS], OWN_URL, known=2) == THEIRS

    def test_somebody_elses_is_never_ours(self):
        assert find_backend([THEIRS], OWN_URL) is None
        assert find_backend([THEIRS], OWN_URL, known=1) is None

    def test_of_two_at_one_host_the_one_at_our_path(self):
        other = {**OURS, "id": 9, "url": f"{OWN_URL}/other"}
        assert find_backend([other, OURS], OWN_URL) == OURS
        assert find_backend([other], OWN_URL) == other
        assert find_backend([other, {**other, "id": 8}], OWN_URL) is None
        assert find_backend([], OWN_URL) is None

    def test_a_neighbour_is_not_ours_once_we_know_our_own(self):
        other = {**OURS, "id": 9, "url": f"{OWN_URL}/other"}
        assert find_backend([other], OWN_URL, known=1) is None


class TestAdopting:
    def test_sets_sampling_webhook_and_an_honest_queue(self, rig, studio):
        rig.connect()
        assert studio.fields["sampling"] == SAMPLING
        [hook] = studio.hooks
        assert hook["url"] == f"{OWN_URL}/webhook"
        assert hook["headers"] == {SECRET_HEADER: webhook_secret(rig.settings, UID)}
        first = rig.store.publication(UID, 1)
        assert first["provisional"]
        assert set(first["reasons"]) == {"audit"}
        assert len(first["tasks"]) == 10
        assert not any(row["result"] for row in studio.predictions)

    def test_asks_nobody_again_what_is_done_or_skipped(self, rig, studio):
        studio.annotate(1, "cat")
        studio.skip(2)
        rig.options["head_size"] = 50
        rig.connect()
        assert sorted(rig.store.publication(UID, 1)["tasks"]) == list(range(3, 17))

    def test_remembers_what_it_overwrote_and_where_we_are(self, rig, studio):
        rig.connect()
        known = rig.connection
        assert known.original == {"sampling": "Sequential sampling", "model_version": "our model"}
        assert (known.backend, known.titles) == (studio.backends[0]["id"], ("our model",))
        assert (known.adopted, known.webhook, known.polling) == (True, True, False)

    def test_polls_where_no_webhook_is_to_be_had(self, rig, studio):
        rig.change(own_url="http://backend:9090")
        studio.connect("http://backend:9090", "our model", rig.options)
        rig.run(look=True)
        assert studio.hooks == []
        assert rig.connection.polling
        assert rig.status.mode == "poll"

    def test_polls_without_any_backend(self, rig, studio):
        rig.change(active=True)
        rig.run()
        assert rig.record["name"] == studio.fields["model_version"]
        assert (studio.hooks, studio.calls["ml_backends"]) == ([], 0)

    def test_mends_the_webhook_and_removes_its_doubles(self, rig, studio):
        rig.connect()
        [hook] = studio.hooks
        studio.hooks += [{**hook, "id": 900}, {**hook, "id": 901, "url": f"{OTHER_URL}/webhook"}]
        hook["headers"], hook["is_active"] = {}, False
        rig.adoption().mend_webhook()
        assert [(row["id"], row["is_active"]) for row in studio.hooks] == [
            (hook["id"], True),
            (901, True),
        ]
        assert studio.hooks[0]["headers"]

    def test_without_tasks_publishes_when_some_come(self, tmp_path):
        rig = Rig(tmp_path, SimulatedLabelStudio())
        rig.connect()
        settle(rig)
        for _ in range(2):
            rig.run()
            assert (rig.status.state, rig.connection.contested_at) == ("waiting", 0)
        rig.studio.add_tasks(TEXTS[:4])
        rig.run()
        assert rig.studio.serves_whole()


class TestLookingAtBackends:
    def test_is_rare_because_label_studio_calls_us_back(self, rig, studio):
        rig.connect()
        for _ in range(3):
            rig.run()
        assert studio.calls["ml_backends"] == 1
        rig.run(look=True)
        rig.change(backends_seen_at=0.0)
        rig.run()
        assert studio.calls["ml_backends"] == 3

    def test_takes_new_options(self, rig, studio):
        rig.connect()
        studio.backends[0]["extra_params"] = "head_size=3\nmin_interval=0"
        rig.run(look=True)
        assert rig.connection.options(None)[0].head_size == 3

    def test_keeps_the_last_good_options_and_says_so(self, rig, studio):
        rig.connect()
        studio.backends[0]["extra_params"] = {"head_size": "many"}
        rig.run(look=True)
        options, problem = rig.connection.options(None)
        assert options.head_size == 10
        assert "head_size" in problem
        assert any("head_size" in warning for warning in rig.status.warnings)
        studio.backends[0]["extra_params"] = {"head_size": 4, "min_interval": 0}
        rig.run(look=True)
        assert rig.status.warnings == []

    def test_follows_our_row_to_another_address(self, rig, studio):
        rig.connect()
        studio.backends[0]["url"] = "http://elsewhere.example/active"
        rig.run(look=True)
        assert rig.connection.own_url == "http://elsewhere.example/active"

    def test_leaves_when_our_row_is_gone(self, rig, studio):
        rig.connect()
        studio.connect(OTHER_URL, "theirs")
        studio.delete_ml_backend(studio.backends[0]["id"])
        before = dict(studio.fields)
        assert rig.run(look=True).left
        assert not rig.connection.active
        assert rig.status.state == "disconnected"
        rig.label(3)
        writes = len(studio.effect.names)
        rig.run(look=True)
        assert studio.fields == before
        assert len(studio.effect.names) == writes


class TestContest:
    @pytest.fixture
    def adopted(self, rig, studio):
        rig.connect()
        settle(rig)
        studio.predictions.append(
            {"task": 1, "model_version": "theirs", "score": 0.1, "result": []}
        )
        return rig

    def test_what_somebody_else_set_is_put_back_once_in_ten_minutes(self, adopted, studio):
        for _ in range(2):
            studio.update_project(1, model_version="theirs")
            adopted.run()
            assert studio.serves_whole()
            assert adopted.status.state == "waiting"
            adopted.change(contested_at=adopted.connection.contested_at - CONTEST_PAUSE)
        adopted.change(contested_at=adopted.connection.contested_at + CONTEST_PAUSE)
        studio.update_project(1, model_version="theirs")
        for _ in range(2):
            adopted.run()
            assert studio.fields["model_version"] == "theirs"
            assert adopted.status.state == "contested"

    def test_sampling_is_put_back_likewise(self, adopted, studio):
        studio.fields["sampling"] = "Sequential sampling"
        adopted.run()
        assert studio.fields["sampling"] == SAMPLING
        studio.fields["sampling"] = "Sequential sampling"
        adopted.run()
        assert studio.fields["sampling"] == "Sequential sampling"
        assert adopted.status.state == "contested"

    def test_or_left_alone_by_choice(self, adopted, studio):
        studio.backends[0]["extra_params"] = {**adopted.options, "on_contested": "leave"}
        adopted.run(look=True)
        studio.update_project(1, model_version="theirs")
        adopted.run()
        assert studio.fields["model_version"] == "theirs"
        assert adopted.status.state == "contested"
        studio.update_project(1, model_version=adopted.record["name"])
        adopted.run()
        assert adopted.status.state == "waiting"

    def test_is_still_learned_from(self, adopted, studio):
        studio.update_project(1, model_version="theirs")
        adopted.change(contested_at=2e9)
        for task, choice in ((1, "cat"), (2, "dog")):
            studio.annotate(task, choice)
        adopted.run()
        assert studio.fields["model_version"] == "theirs"
        assert adopted.store.versions(UID) == [1]
        assert studio.version_counts()["theirs"] == 1

    def test_is_not_what_label_studio_writes_while_connecting(self, rig, studio):
        rig.connect()
        studio.fields["model_version"] = "our model"
        for _ in range(2):
            studio.fields["model_version"] = "our model"
            rig.run()
            assert studio.serves_whole()
        assert rig.connection.contested_at == 0


class TestDisconnecting:
    def test_puts_back_what_was_and_takes_ours_away(self, rig, studio):
        before = {name: studio.fields[name] for name in ("sampling", "model_version")}
        studio.hooks.append({"id": 900, "url": f"{OTHER_URL}/webhook", "headers": {}})
        rig.connect()
        rig.label(4)
        rig.run()
        rig.disconnect()
        assert {name: studio.fields[name] for name in before} == before
        assert [hook["id"] for hook in studio.hooks] == [900]
        assert (studio.backends, studio.version_counts()) == ([], {})
        assert (rig.connection.active, rig.connection.original) == (False, {})

    def test_leaves_what_others_retrieved(self, rig, studio):
        rig.connect()
        for name in ("al-7", "theirs"):
            studio.predictions.append({"task": 1, "model_version": name, "score": 0.1})
        rig.disconnect()
        assert studio.version_counts() == {"al-7": 1, "theirs": 1}

    def test_puts_back_the_title_of_another_backend(self, rig, studio):
        studio.connect(OTHER_URL, "theirs")
        rig.connect()
        rig.disconnect()
        assert studio.fields["model_version"] == "theirs"
        assert [row["title"] for row in studio.backends] == ["theirs"]

    def test_leaves_what_somebody_set_since(self, rig, studio):
        rig.connect()
        studio.connect(OTHER_URL, "theirs")
        studio.update_project(1, model_version="theirs", sampling="Sequential sampling")
        rig.disconnect()
        assert studio.fields["model_version"] == "theirs"
        assert studio.fields["sampling"] == "Sequential sampling"

    def test_never_deletes_anothers_row(self, rig, studio):
        rig.connect()
        studio.connect(OTHER_URL, "theirs")
        studio.delete_ml_backend(studio.backends[0]["id"])
        rig.disconnect()
        assert [row["title"] for row in studio.backends] == ["theirs"]

    def test_and_connecting_again_starts_anew(self, rig, studio):
        rig.connect()
        rig.label(4)
        rig.run()
        rig.disconnect()
        rig.connect()
        assert studio.serves_whole()
        assert rig.status.version == 1
        names = [rig.store.publication(UID, n)["name"] for n in rig.store.publications(UID)]
        assert len({name.partition(".")[2] for name in names}) == len(names)

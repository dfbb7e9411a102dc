"""One job over one project says where it stands, and finds out whose project it is."""

from __future__ import annotations

import logging
import time

import pytest

from ls_active.errors import LabelStudioUnreachable
from ls_active.loop.converge import RECOUNT_AFTER, ROW_PATIENCE
from tests.harness.rig import OWN_URL
from tests.harness.simulated_project import CONFIG

pytestmark = pytest.mark.usefixtures("quickly")


class TestWhoseProject:
    def test_one_that_nobody_connected_is_left_alone(self, rig, studio):
        assert rig.run().label_config == ""
        assert studio.effect.names == []

    def test_one_that_was_disconnected_is_left_alone(self, rig, studio):
        rig.connect()
        rig.change(active=False)
        rig.label(2)
        studio.effect.names.clear()
        rig.run(force=True, look=True)
        assert studio.effect.names == []

    def test_one_that_is_gone(self, rig, studio):
        rig.connect()
        studio.gone = True
        rig.run()
        assert rig.status.state == "gone"

    def test_another_with_the_same_number_is_refused(self, rig, studio):
        """A fresh Label Studio counts from one again."""
        rig.connect()
        studio.fields["uid"] = "1.999"
        before = dict(studio.fields)
        rig.label(2)
        rig.run()
        assert rig.status.state == "refused"
        assert "as 1.999, not as" in rig.status.detail
        assert studio.fields == before


class TestWaitingForOurRow:
    def test_label_studio_writes_it_after_setup(self, rig, studio):
        rig.change(own_url=OWN_URL, connected_at=time.time())
        result = rig.run(look=True)
        assert result.again_in is not None
        assert (rig.status.state, studio.fields["model_version"]) == ("adopting", "")
        studio.connect(OWN_URL, "our model", rig.options)
        rig.run()
        assert rig.connection.adopted

    def test_but_not_for_ever_where_connecting_failed(self, rig):
        rig.change(own_url=OWN_URL, connected_at=time.time() - ROW_PATIENCE - 1)
        assert rig.run(look=True).left
        assert not rig.connection.active


class TestWhatToLearn:
    @pytest.mark.parametrize(
        ("config", "why"),
        [
            ("<View></View>", "it asks nothing yet"),
            ("<View><Choices", "is not XML"),
            (CONFIG.replace("toName", 'choice="several" toName'), "choice='several'"),
        ],
    )
    def test_nothing_is_said_with_the_reason(self, rig, studio, config, why):
        studio.fields["label_config"] = config
        rig.connect()
        assert rig.status.state == "waiting"
        assert why in rig.status.detail
        assert studio.fields["sampling"] == "Sequential sampling"
        studio.fields["label_config"] = CONFIG
        rig.run()
        assert studio.serves_whole()

    def test_what_is_left_out_is_listed_and_logged_once(self, rig, studio, caplog):
        caplog.set_level(logging.INFO)
        note = '<TextArea name="note" toName="text"/></View>'
        studio.fields["label_config"] = CONFIG.replace("</View>", note)
        rig.connect()
        rig.run()
        [line] = rig.status.left_out
        assert "note" in line
        [logged] = [text for text in caplog.messages if "not learned" in text]
        assert line in logged


class TestWhatIsSaid:
    def test_before_the_first_model(self, rig, studio):
        result = rig.connect()
        status = rig.status
        assert (status.state, status.tasks, status.askable, status.version) == (
            "waiting",
            16,
            16,
            0,
        )
        assert "a model needs at least 2 labels in 2 classes; 0 so far" in status.detail
        assert status.strategy == "cold start"
        assert status.publication == studio.fields["model_version"]
        assert result.label_config == CONFIG

    def test_with_a_model(self, rig, studio):
        rig.connect()
        rig.label(4)
        studio.skip(studio.next_task())
        result = rig.run()
        status = rig.status
        assert (status.state, status.labels, status.skipped) == ("ready", 4, 1)
        assert status.version == 1
        assert status.strategy == (
            "auto: typiclust, until there are 8 labels (4 labels in 2 classes so far)"
        )
        assert status.first["audit"]["needed"] == 30
        assert {"sync", "fit", "score", "import", "patch", "evaluate"} <= status.timings.keys()
        assert result.annotated == 5

    def test_another_strategy_orders_the_queue_anew(self, rig):
        rig.connect()
        rig.label(6)
        rig.run()
        before = rig.record
        assert rig.run().published == ""
        rig.studio.backends[0]["extra_params"] = rig.options | {"strategy": "random"}
        rig.run(look=True)
        assert rig.record["strategy"] == "random"
        assert (rig.record["version"], rig.record["why"]) == (
            before["version"],
            "another strategy was asked for",
        )
        assert rig.run().published == ""

    def test_that_what_is_new_waits_for_its_turn(self, rig):
        rig.connect()
        rig.label(5)
        rig.run()
        rig.studio.backends[0]["extra_params"] = rig.options | {"min_interval": 60}
        rig.run(look=True)
        rig.label(1)
        assert rig.run().again_in > 30
        assert "what is new is published in" in rig.status.detail
        assert "retrain` does not wait" in rig.status.detail

    def test_what_cannot_be_read_or_agreed_on(self, rig, studio):
        studio.fields["maximum_annotations"] = 2
        studio.add_tasks([{}, {"text": ""}])
        studio.annotate(1, "cat", 1)
        studio.annotate(1, "dog", 2)
        rig.connect()
        assert sum(rig.status.unreadable.values()) == 2
        assert "1 task left out: annotators disagree" in rig.status.warnings[0]

    def test_that_counts_differ_is_looked_at_again_soon(self, rig, studio):
        rig.connect()
        annotation = studio.annotate(1, "cat")
        rig.run()
        studio.wait(500)
        rig.run()
        studio.delete_annotation(annotation, stamped=False)
        assert rig.run().again_in == RECOUNT_AFTER

    def test_nothing_when_label_studio_is_down(self, rig, studio):
        rig.connect()
        before = rig.status
        studio.faults.down = LabelStudioUnreachable("it does not answer")
        with pytest.raises(LabelStudioUnreachable):
            rig.run()
        assert rig.status.state == before.state
        studio.faults.down = None
        rig.label(4)
        rig.run()
        assert (rig.status.state, rig.status.labels) == ("ready", 4)

    def test_of_a_run_with_nothing_to_do_costs_little(self, rig, studio):
        rig.connect()
        rig.label(4)
        rig.run()
        rig.run()
        studio.calls.clear()
        studio.effect.names.clear()
        rig.run()
        assert sum(studio.calls.values()) <= 4
        assert studio.effect.names == ["write state.json"]

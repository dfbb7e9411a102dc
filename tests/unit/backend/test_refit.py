"""A run does what is missing: fit, publish, evaluate, prune; nothing twice, nothing too early."""

from __future__ import annotations

import json
import shutil

import pytest

from ls_active.errors import LockLost
from ls_active.loop.models import ModelShelf
from tests.harness.rig import TEXTS, Rig
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_project import CONFIG, UID

pytestmark = pytest.mark.usefixtures("quickly")


@pytest.fixture
def studio():
    return SimulatedLabelStudio(TEXTS)


@pytest.fixture
def rig(tmp_path, studio):
    made = Rig(tmp_path, studio)
    made.connect()
    return made


def versions(rig: Rig) -> list[int]:
    return rig.store.versions(UID)


def newest(rig: Rig) -> dict:
    return rig.store.manifest(UID, versions(rig)[-1])


class TestFitting:
    def test_waits_for_two_classes(self, rig, studio):
        studio.annotate(1, "cat")
        studio.annotate(3, "cat")
        rig.run()
        assert versions(rig) == []
        studio.annotate(2, "dog")
        rig.run()
        assert newest(rig)["labels"] == 3

    def test_learns_every_change_of_a_label_once(self, rig, studio):
        first, second = studio.annotate(1, "cat"), studio.annotate(2, "dog")
        rig.run()
        rig.run()
        assert versions(rig) == [1]
        studio.update(first, "dog")
        studio.update(second, "cat")
        rig.run()
        assert versions(rig) == [1, 2]
        studio.delete_annotation(studio.annotate(3, "cat"))
        rig.run()
        assert versions(rig) == [1, 2]

    def test_waits_for_as_many_labels_as_were_asked_for(self, tmp_path):
        rig = Rig(tmp_path / "patient", SimulatedLabelStudio(TEXTS), retrain_after=3)
        rig.connect()
        for labels, fitted in ((2, 1), (4, 1), (5, 2)):
            rig.label(labels - len(rig.labelled))
            rig.run()
            assert len(versions(rig)) == fitted

    def test_on_demand_makes_a_version_of_the_same_labels(self, rig):
        rig.label(4)
        rig.run()
        rig.run(force=True)
        assert versions(rig) == [1, 2]
        assert rig.record["name"].startswith("al-2.")

    def test_follows_the_label_config(self, rig, studio):
        rig.label(6)
        rig.run()
        config = CONFIG.replace("</Choices>", '<Choice value="horse"/></Choices>')
        studio.fields["label_config"] = config
        rig.run()
        assert newest(rig)["heads"][0]["classes"] == ["cat", "dog", "horse"]
        studio.fields["label_config"] = config.replace('<Choice value="cat"/>', "")
        rig.run()
        assert rig.record["version"] == 0
        assert "3 so far, all 'dog'" in rig.status.detail
        assert studio.serves_whole()
        studio.fields["label_config"] = CONFIG
        rig.run()
        assert newest(rig)["labels"] == 6
        assert rig.record["version"] == versions(rig)[-1]

    def test_follows_the_field_that_is_shown(self, tmp_path):
        studio = SimulatedLabelStudio([{"text": words, "title": words} for words in TEXTS])
        rig = Rig(tmp_path / "fields", studio)
        rig.connect()
        for task in (1, 2, 3, 4):
            studio.annotate(task, rig.answer(task))
        rig.run()
        studio.fields["label_config"] = CONFIG.replace("$text", "$title")
        rig.run()
        assert newest(rig)["features"].endswith("/title")
        assert rig.record["version"] == 2

    @pytest.mark.parametrize("damage", ["models/000001.npz", "versions/000001.json"])
    def test_makes_up_for_a_file_that_cannot_be_used(self, rig, damage):
        rig.label(4)
        rig.run()
        folder = rig.settings.local_dir.parent / "projects" / UID
        (folder / damage).write_bytes(b'{"format')
        rig.run()
        assert rig.status.state == "ready"
        assert rig.record["version"] == 2
        rig.run()
        assert versions(rig)[-1] == 2

    def test_keeps_so_many_model_files(self, tmp_path):
        rig = Rig(tmp_path / "few", SimulatedLabelStudio(TEXTS), keep_models=2)
        rig.connect()
        for _ in range(4):
            rig.label(2)
            rig.run()
        assert rig.store.loadable(UID) == [3, 4]
        assert versions(rig) == [1, 2, 3, 4]

    def test_stops_when_the_lock_is_lost_and_the_next_goes_on(self, rig, studio):
        rig.label(4)
        left = 0

        def check() -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise LockLost("another worker took it")

        for allowed in range(30):
            left = allowed
            try:
                rig.run(check=check)
            except LockLost:
                assert studio.serves_whole()
            else:
                break
        assert allowed > 3
        assert rig.record["name"] == studio.fields["model_version"]
        assert newest(rig)["labels"] == 4


class TestPinning:
    def test_publishes_the_older_version_and_goes_on_fitting(self, rig, studio):
        for _ in range(2):
            rig.label(4)
            rig.run()
        shelf = ModelShelf(rig.store, UID)
        shelf.pin(1)
        rig.run()
        assert studio.fields["model_version"].startswith("al-1.")
        assert (rig.status.pinned, rig.status.version) == (1, 1)
        rig.label(4)
        rig.run()
        assert versions(rig) == [1, 2, 3]
        assert studio.fields["model_version"].startswith("al-1.")
        shelf.pin(None)
        rig.run()
        assert studio.fields["model_version"].startswith("al-3.")

    @pytest.mark.parametrize("number", ["format", "sha256"])
    def test_of_what_cannot_be_read_any_more_is_said_as_such(self, rig, studio, tmp_path, number):
        rig.label(4)
        rig.run()
        ModelShelf(rig.store, UID).pin(1)
        [path] = [p for p in tmp_path.rglob("000001.json") if p.parent.name == "versions"]
        path.write_text(json.dumps(json.loads(path.read_text()) | {number: 0}))
        rig.run()
        assert "al-1 is pinned and cannot be used: its files are damaged" in rig.status.detail
        assert "--unpin" in rig.status.remedy
        assert studio.serves_whole()

    def test_of_another_label_config_is_said_as_such(self, rig, studio):
        rig.label(4)
        rig.run()
        ModelShelf(rig.store, UID).pin(1)
        studio.fields["label_config"] = CONFIG.replace('"cat"', '"cats"')
        rig.run()
        assert "it does not answer today's label config" in rig.status.detail


def test_a_deleted_data_folder_is_rebuilt(rig, studio, tmp_path):
    rig.label(6)
    rig.run()
    old = studio.fields["model_version"]
    anew = Rig(tmp_path / "anew", studio)
    anew.change(own_url=rig.connection.own_url)
    anew.run(look=True)
    assert newest(anew)["labels"] == 6
    assert studio.serves_whole()
    number = int(studio.fields["model_version"].rpartition(".")[2])
    assert number > int(old.rpartition(".")[2])


def test_a_deleted_mirror_is_rebuilt_without_a_new_version(rig, studio):
    rig.label(6)
    rig.run()
    name = rig.record["name"]
    shutil.rmtree(rig.settings.local_dir / "mirror")
    rig.run()
    assert (versions(rig), rig.record["name"]) == ([1], name)

"""What is written once stays, what is torn does not exist, and numbers are never given twice."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ls_active.errors import BadRequest, NotFound, StoreError
from ls_active.records.files import FORMAT
from ls_active.records.store import Store

UID = "12.1795351743"
ARRAYS = {"weights": np.arange(6, dtype=np.float32).reshape(2, 3), "bias": np.zeros(2)}


@pytest.fixture(params=["a folder", "an object store"])
def store(request, tmp_path):
    return Store(str(tmp_path) if request.param == "a folder" else f"memory://{uuid4().hex}")


@pytest.fixture
def local(tmp_path):
    return Store(str(tmp_path))


def files(tmp_path: Path, kind: str) -> Path:
    return tmp_path / "projects" / UID / kind


class TestDocuments:
    def test_are_replaced_whole_and_forgotten(self, store):
        store.write(UID, "state", {"a": 1, "b": 2})
        store.write(UID, "state", {"a": 3})
        assert store.read(UID, "state") == {"format": FORMAT, "a": 3}
        store.delete(UID, "state")
        store.delete(UID, "state")
        assert store.read(UID, "state") is None

    def test_of_an_unknown_project_are_none(self, store):
        assert store.read(UID, "connection") is None
        assert store.projects() == []

    def test_make_a_project_known(self, store):
        store.write("3.5", "state", {})
        store.write(UID, "state", {})
        assert store.projects() == [UID, "3.5"]

    @pytest.mark.parametrize("content", [b"", b'{"form', b"[]", b'{"format": 999}', b"{}", b"\xff"])
    def test_torn_or_of_another_format_count_as_absent(self, local, tmp_path, content):
        local.write(UID, "state", {"a": 1})
        (tmp_path / "projects" / UID / "state.json").write_bytes(content)
        assert local.read(UID, "state") is None

    def test_that_are_not_json_are_refused_before_anything_is_lost(self, local):
        local.write(UID, "state", {"a": 1})
        with pytest.raises(ValueError, match="not JSON compliant"):
            local.write(UID, "state", {"a": float("nan")})
        assert local.read(UID, "state") == {"format": FORMAT, "a": 1}

    @pytest.mark.parametrize(
        "uid", ["", "1", "../1.2", "1.2/..", "1.2.3", "\u0661.\u0662", "1.2\n", "x.1"]
    )
    def test_of_what_is_no_uid_are_refused(self, store, uid):
        with pytest.raises(BadRequest, match=r"must look like '12\."):
            store.read(uid, "state")

    def test_in_a_folder_that_cannot_be_used(self, tmp_path):
        (tmp_path / "projects").write_text("a file where a folder should be")
        with pytest.raises(StoreError, match=r"cannot use .*projects"):
            Store(str(tmp_path)).write(UID, "state", {})


def test_what_killed_writers_left_is_swept_an_hour_later(local, tmp_path):
    local.write(UID, "state", {})
    old, young = (files(tmp_path, "") / f".writing-{age}" for age in ("old", "young"))
    for path in (old, young):
        path.write_text("half a docu")
    os.utime(old, (time.time() - 4000,) * 2)
    local.sweep(UID)
    assert not old.exists()
    assert young.exists()
    assert local.read(UID, "state") is not None


class TestNumbers:
    def test_ascend_and_start_above_what_label_studio_holds(self, store):
        assert [store.claim_version(UID) for _ in range(3)] == [1, 2, 3]
        assert store.claim_publication(UID) == 1
        assert store.claim_publication(UID, above=41) == 42
        assert store.claim_publication(UID, above=7) == 43
        assert store.claimed_publications(UID) == [1, 42, 43]

    def test_are_not_given_again_although_nothing_came_of_them(self, local, tmp_path):
        first = local.claim_version(UID)
        assert local.versions(UID) == []
        assert Store(str(tmp_path)).claim_version(UID) == first + 1

    def test_beyond_six_digits(self, local):
        assert local.claim_publication(UID, above=1_234_567) == 1_234_568
        assert local.claim_publication(UID) == 1_234_569

    def test_of_many_at_once_are_all_different(self, tmp_path):
        def claim(_: int) -> int:
            return Store(str(tmp_path)).claim_publication(UID)

        with ThreadPoolExecutor(8) as pool:
            numbers = list(pool.map(claim, range(40)))
        assert sorted(numbers) == list(range(1, 41))

    def test_are_not_read_from_files_of_others(self, local, tmp_path):
        local.claim_version(UID)
        for name in ("000099.tmp", "12.claim", "x000098.claim", ".writing-x", "000097.claim.old"):
            (files(tmp_path, "versions") / name).touch()
        assert local.claim_version(UID) == 2


class TestVersions:
    def test_come_back_as_they_were(self, store):
        store.save_version(UID, 7, ARRAYS, {"classes": ["a", "b"]})
        assert store.versions(UID) == store.loadable(UID) == [7]
        manifest = store.manifest(UID, 7)
        assert (manifest["version"], manifest["classes"]) == (7, ["a", "b"])
        loaded = store.arrays(UID, 7)
        assert loaded.keys() == ARRAYS.keys()
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(loaded[name], array)
            assert loaded[name].dtype == array.dtype

    def test_exist_when_their_manifest_does(self, local, tmp_path):
        local.save_version(UID, 1, ARRAYS, {})
        (files(tmp_path, "versions") / "000001.json").unlink()
        assert local.versions(UID) == local.loadable(UID) == []
        with pytest.raises(NotFound, match=r"no version 1; it has \[\]"):
            local.arrays(UID, 1)

    def test_never_change(self, store):
        store.save_version(UID, 1, ARRAYS, {"classes": ["first"]})
        with pytest.raises(FileExistsError):
            store.save_version(UID, 1, ARRAYS, {"classes": ["second"]})
        assert store.manifest(UID, 1)["classes"] == ["first"]
        store.save_evaluation(UID, 1, {"audit": 1})
        store.save_evaluation(UID, 1, {"audit": 2})
        assert store.evaluation(UID, 1) == {"format": FORMAT, "audit": 1}

    def test_that_were_tampered_with_are_refused(self, local, tmp_path):
        local.save_version(UID, 1, ARRAYS, {})
        path = files(tmp_path, "models") / "000001.npz"
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 2] ^= 1
        path.write_bytes(raw)
        with pytest.raises(StoreError, match="refusing to load"):
            local.arrays(UID, 1)

    def test_never_hold_objects(self, local):
        with pytest.raises(ValueError, match=r"[Oo]bject arrays"):
            local.save_version(UID, 1, {"bad": np.array([{}], dtype=object)}, {})
        assert local.versions(UID) == []

    def test_of_another_format_are_not_there(self, local, tmp_path):
        local.save_version(UID, 1, ARRAYS, {})
        path = files(tmp_path, "versions") / "000001.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"format": FORMAT + 1}))
        with pytest.raises(NotFound):
            local.manifest(UID, 1)

    def test_are_pruned_but_for_the_newest_and_the_spared(self, store):
        for number in range(1, 7):
            store.save_version(UID, number, ARRAYS, {"labels": number})
        assert store.prune_versions(UID, keep=2, spare=3) == [1, 2, 4]
        assert store.loadable(UID) == [3, 5, 6]
        assert store.versions(UID) == [1, 2, 3, 4, 5, 6]
        assert store.manifest(UID, 1)["labels"] == 1
        with pytest.raises(NotFound, match="was pruned; its record remains"):
            store.arrays(UID, 1)
        assert store.prune_versions(UID, keep=2, spare=3) == []


class TestPublications:
    def test_exist_when_their_record_does(self, store):
        number = store.claim_publication(UID)
        assert store.publications(UID) == []
        assert store.publication(UID, number) is None
        store.record_publication(UID, number, {"name": "al-1.1"})
        store.record_publication(UID, number, {"name": "another"})
        assert store.publications(UID) == [number]
        assert store.publication(UID, number) == {"format": FORMAT, "name": "al-1.1"}


@given(steps=st.lists(st.sampled_from(["claim", "record", "kill"]), max_size=12))
def test_no_number_is_reused_however_often_the_writer_dies(tmp_path_factory, steps):
    root = str(tmp_path_factory.mktemp("store"))
    store, given_out, recorded = Store(root), [], []
    for step in steps:
        if step == "claim":
            given_out.append(store.claim_publication(UID))
        elif step == "record" and given_out:
            store.record_publication(UID, given_out[-1], {})
            recorded = sorted({*recorded, given_out[-1]})
        else:
            store = Store(root)
    assert given_out == sorted(set(given_out))
    assert store.publications(UID) == recorded

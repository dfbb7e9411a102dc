"""The mirror keeps what was put into it, whole or not at all, and is rebuilt when it must be."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ls_active.errors import LockLost
from ls_active.sync.mirror import Mirror
from ls_active.sync.rows import Annotation, TaskState
from tests.harness.effects import Killed
from tests.harness.mirrors import letters, open_mirror, row_of
from tests.harness.units import word_row

pytestmark = pytest.mark.usefixtures("quickly")


def state(task: int, **fields: object) -> TaskState:
    known = {"updated_at": "2026", "is_labeled": False, "annotations": 0, "skips": 0}
    return TaskState(task, **(known | fields))


def annotation(number: int, task: int, **fields: object) -> Annotation:
    known = {
        "annotator": 1, "result": [{"from_name": "a"}], "skipped": False, "ground_truth": False,
        "created_at": "2026", "updated_at": "2026", "lead_time": None,
    }  # fmt: skip
    return Annotation(number, task, **(known | fields))


def put_texts(mirror: Mirror, texts: dict[int, str], *, words: bool = False) -> None:
    digests = [text.encode() for text in texts.values()]
    mirror.put_features(list(texts), digests, letters(list(texts.values()), words=words))


@pytest.fixture
def mirror(tmp_path):
    with open_mirror(tmp_path) as opened:
        yield opened


class TestWhatIsKept:
    def test_survives_closing(self, tmp_path):
        with open_mirror(tmp_path) as mirror:
            with mirror.transaction():
                mirror.put_states([state(3, is_labeled=True, annotations=1), state(5)])
                put_texts(mirror, {3: "three", 5: "five"})
                mirror.put_annotations(3, [annotation(9, 3, annotator=None, lead_time=1.5)])
            mirror.set_note("cursor", "here")
        with open_mirror(tmp_path) as mirror:
            table = mirror.table()
            assert table.ids.tolist() == [3, 5]
            assert table.is_labeled.tolist() == [True, False]
            found = mirror.features(table.rows).toarray()
            np.testing.assert_array_equal(found, [row_of("three"), row_of("five")])
            assert list(mirror.annotations()) == [annotation(9, 3, annotator=None, lead_time=1.5)]
            assert mirror.note("cursor") == "here"

    def test_states_are_updated_and_features_stay(self, mirror):
        with mirror.transaction():
            mirror.put_states([state(1)])
            put_texts(mirror, {1: "one"})
        mirror.put_states([state(1, updated_at="2027", skips=1)])
        assert mirror.states() == {1: state(1, updated_at="2027", skips=1)}
        assert mirror.digests([1, 2]) == {1: b"one"}
        np.testing.assert_array_equal(
            mirror.features(mirror.table().rows).toarray(), [row_of("one")]
        )

    def test_new_tasks_are_unread_until_said_otherwise(self, mirror):
        mirror.put_states([state(7), state(2)])
        assert mirror.unread() == [2, 7]
        mirror.set_unread([2, 99], unread=False)
        assert mirror.unread() == [7]

    def test_annotations_are_replaced(self, mirror):
        mirror.put_annotations(1, [annotation(10, 1), annotation(11, 1)])
        mirror.put_annotations(1, [annotation(11, 1, ground_truth=True)])
        assert list(mirror.annotations()) == [annotation(11, 1, ground_truth=True)]

    def test_unreadable_tasks_have_the_empty_row(self, mirror):
        with mirror.transaction():
            mirror.put_states([state(1), state(2)])
            mirror.put_features([1, 2], [b"1", b"2"], letters(["", "two"]))
        assert mirror.errors() == {"text: empty text": 1}
        found = mirror.features(mirror.table().rows).toarray()
        np.testing.assert_array_equal(found, [np.zeros(16), row_of("two")])

    def test_counts_and_ranges(self, mirror):
        assert (mirror.counts(), mirror.last_id()) == ((0, 0), 0)
        mirror.put_states([state(1), state(4, annotations=2), state(6, skips=1)])
        mirror.put_annotations(4, [annotation(10, 4), annotation(11, 4)])
        assert (mirror.counts(), mirror.last_id()) == ((3, 2), 6)
        assert mirror.count_between(2, 6) == 2
        assert mirror.states(4, 4).keys() == {4}

    def test_removed_tasks_take_their_annotations_along(self, mirror):
        mirror.put_states([state(1), state(2)])
        mirror.put_annotations(1, [annotation(10, 1)])
        mirror.remove([1])
        assert (list(mirror.states()), list(mirror.annotations())) == ([2], [])

    def test_the_first_time_of_an_audit_counts(self, mirror):
        mirror.place_audits([1, 2], 10.0)
        mirror.place_audits([2, 3], 20.0)
        assert mirror.audits() == {1: 10.0, 2: 10.0, 3: 20.0}

    def test_an_empty_mirror_has_an_empty_table(self, mirror):
        table = mirror.table()
        assert len(table.ids) == len(table.rows) == 0
        assert mirror.features(table.rows).shape == (0, 16)


class TestOpening:
    def test_one_process_at_a_time(self, tmp_path):
        with open_mirror(tmp_path), pytest.raises(LockLost, match="another process is using"):
            open_mirror(tmp_path)
        with open_mirror(tmp_path):
            pass

    def test_other_features_start_anew(self, tmp_path):
        with open_mirror(tmp_path) as mirror, mirror.transaction():
            mirror.put_states([state(1)])
            put_texts(mirror, {1: "one"})
        with open_mirror(tmp_path, "letters/2/text") as mirror:
            assert mirror.states() == {}
            assert mirror.note("lengths") == "[[1, 0]]"

    @pytest.mark.parametrize("content", [b"", b"no database" * 100, b"SQLite format 3\0" * 20])
    def test_a_damaged_file_starts_anew(self, tmp_path, content):
        with open_mirror(tmp_path) as mirror:
            mirror.put_states([state(1)])
        (tmp_path / "mirror.sqlite3").write_bytes(content)
        with open_mirror(tmp_path) as mirror:
            assert mirror.states() == {}
            mirror.put_states([state(2)])

    def test_a_half_made_one_starts_anew(self, tmp_path):
        database = sqlite3.connect(tmp_path / "mirror.sqlite3")
        database.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        database.close()
        with open_mirror(tmp_path) as mirror:
            assert mirror.states() == {}


def test_a_transaction_happens_or_does_not(mirror):
    with mirror.transaction():
        mirror.put_states([state(1)])
        put_texts(mirror, {1: "one"})
    before = mirror.note("lengths")

    def die() -> None:
        with mirror.transaction():
            mirror.put_states([state(1, updated_at="2027"), state(2)])
            put_texts(mirror, {1: "another", 2: "two"})
            raise Killed

    with pytest.raises(Killed):
        die()
    assert mirror.states() == {1: state(1)}
    assert mirror.note("lengths") == before
    with mirror.transaction():
        put_texts(mirror, {1: "a third"})
    found = mirror.features(mirror.table().rows).toarray()
    np.testing.assert_array_equal(found, [row_of("a third")])


class Kills(RuleBasedStateMachine):
    """Pages of tasks are stored; the writer dies before some commits and comes back."""

    @initialize()
    def start(self) -> None:
        self.folder = TemporaryDirectory()
        self.mirror = open_mirror(Path(self.folder.name), words=True)
        self.texts: dict[int, str] = {}
        self.turn = 0

    def store(self, tasks: set[int], *, dies: bool) -> dict[int, str]:
        self.turn += 1
        texts = {task: f"{task} in turn {self.turn}" for task in sorted(tasks)}
        with self.mirror.transaction():
            self.mirror.put_states(map(state, texts))
            put_texts(self.mirror, texts, words=True)
            if dies:
                raise Killed
        return texts

    @rule(tasks=st.sets(st.integers(1, 9), max_size=4))
    def commit(self, tasks: set[int]) -> None:
        self.texts |= self.store(tasks, dies=False)

    @rule(tasks=st.sets(st.integers(1, 9), max_size=4))
    def die(self, tasks: set[int]) -> None:
        with pytest.raises(Killed):
            self.store(tasks, dies=True)
        self.mirror.__exit__()
        self.mirror = open_mirror(Path(self.folder.name), words=True)

    @invariant()
    def holds_what_was_committed(self) -> None:
        table = self.mirror.table()
        assert table.ids.tolist() == sorted(self.texts)
        expected = [row_of(self.texts[task]) for task in sorted(self.texts)]
        found = self.mirror.features(table.rows).toarray()
        np.testing.assert_array_equal(found, np.array(expected).reshape(-1, 16))

    @invariant()
    def holds_the_units_of_what_was_committed(self) -> None:
        tasks = sorted(self.texts)
        units = self.mirror.units(0, tasks)
        words = [self.texts[task].split() for task in tasks]
        assert np.diff(units.starts).tolist() == [len(each) for each in words]
        expected = [word_row(word) for each in words for word in each]
        np.testing.assert_array_equal(units.X, np.array(expected).reshape(-1, 8))

    def teardown(self) -> None:
        self.mirror.__exit__()
        self.folder.cleanup()


TestKills = Kills.TestCase
TestKills.settings = settings(max_examples=8, stateful_step_count=10)

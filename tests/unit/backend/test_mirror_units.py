"""The units of tasks, dense rows, and files that may come later."""

from __future__ import annotations

import numpy as np
import pytest

from ls_active.labeling.inputs import Reading, UnitRows
from ls_active.labeling.layout import Layout
from ls_active.sync import database
from ls_active.sync.features import EMPTY_ROW
from ls_active.sync.mirror import Mirror
from ls_active.sync.rows import Annotation, TaskState
from tests.harness.effects import Killed
from tests.harness.mirrors import letters, open_mirror
from tests.harness.units import word_row

pytestmark = pytest.mark.usefixtures("quickly")


@pytest.fixture
def mirror(tmp_path):
    with open_mirror(tmp_path, words=True) as opened:
        yield opened


def put(mirror: Mirror, texts: dict[int, object]) -> None:
    """Store what was read of texts, and that it was."""
    with mirror.transaction():
        mirror.put_states(TaskState(task, "2026", False, 0, 0) for task in texts)
        digests = [str(text).encode() for text in texts.values()]
        mirror.put_features(list(texts), digests, letters(list(texts.values()), words=True))
        mirror.set_unread(texts, unread=False)


def words_of(mirror: Mirror, *tasks: int) -> list[str]:
    """Return the text of each task's units, by where they lie."""
    layouts = [mirror.layout(0, task) or Layout(()) for task in tasks]
    return [" ".join(it.text[int(a) : int(b)] for a, b in it.spans) for it in layouts]


class TestUnits:
    def test_come_back_in_any_order(self, mirror):
        put(mirror, {1: "my cat", 2: "", 3: "our dog barks"})
        units = mirror.units(0, [3, 2, 1, 3])
        assert units.starts.tolist() == [0, 3, 3, 5, 8]
        expected = ["our", "dog", "barks", "my", "cat", "our", "dog", "barks"]
        np.testing.assert_array_equal(units.X, [word_row(word) for word in expected])

    def test_are_counted_where_there_are_any(self, mirror):
        put(mirror, {1: "my cat", 2: "", 3: "our dog barks", 4: None})
        assert mirror.unit_counts(0) == {1: 2, 3: 3}
        assert mirror.unit_counts(1) == {}

    def test_lie_where_they_were_cut(self, mirror):
        put(mirror, {1: "my  cat", 2: None})
        layout = mirror.layout(0, 1)
        assert (layout.spans, layout.text) == (((0, 2), (4, 7)), "my  cat")
        assert mirror.layout(0, 2) is mirror.layout(0, 9) is mirror.layout(1, 1) is None

    def test_of_no_tasks_are_none(self, mirror):
        units = mirror.units(0, [])
        assert (units.X.shape, units.starts.tolist()) == ((0, 8), [0])

    def test_of_an_edited_task_are_the_new_ones(self, mirror):
        put(mirror, {1: "my cat purrs", 2: "a dog"})
        put(mirror, {1: "my horse"})
        assert words_of(mirror, 1, 2) == ["my horse", "a dog"]
        assert mirror.units(0, [1]).starts.tolist() == [0, 2]
        put(mirror, {1: None})
        assert mirror.unit_counts(0) == {2: 2}

    def test_of_a_removed_task_are_gone(self, mirror):
        put(mirror, {1: "my cat", 2: "a dog"})
        mirror.remove([1])
        assert mirror.unit_counts(0) == {2: 2}

    def test_of_two_inputs_are_kept_apart(self, tmp_path):
        rows = [UnitRows(np.full((n, 2), n, np.float32), Layout(((0, n),) * n)) for n in (1, 2)]
        read = Reading(np.ones((1, 3), np.float32), ((rows[0],), (rows[1],)), {}, frozenset())
        with Mirror(tmp_path, "key", (3, False), ((2, False), (2, False))) as mirror:
            with mirror.transaction():
                mirror.put_states([TaskState(1, "2026", False, 0, 0)])
                mirror.put_features([1], [b"digest"], read)
            np.testing.assert_array_equal(mirror.units(0, [1]).X, [[1, 1]])
            np.testing.assert_array_equal(mirror.units(1, [1]).X, [[2, 2], [2, 2]])
            assert len(mirror.layout(1, 1).spans) == 2

    def test_survive_closing(self, tmp_path):
        with open_mirror(tmp_path, words=True) as mirror:
            put(mirror, {1: "my cat"})
        with open_mirror(tmp_path, words=True) as mirror:
            put(mirror, {2: "a dog"})
            assert words_of(mirror, 1, 2) == ["my cat", "a dog"]
            np.testing.assert_array_equal(
                mirror.units(0, [1, 2]).X, [word_row(word) for word in ("my", "cat", "a", "dog")]
            )

    def test_of_other_features_start_anew(self, tmp_path):
        with open_mirror(tmp_path, words=True) as mirror:
            put(mirror, {1: "my cat"})
        with open_mirror(tmp_path, "letters/2/text", words=True) as mirror:
            assert mirror.unit_counts(0) == {}
            put(mirror, {1: "a dog"})
            assert mirror.units(0, [1]).X.shape == (2, 8)

    def test_that_are_not_wanted_any_more_are_no_obstacle(self, tmp_path):
        with open_mirror(tmp_path, words=True) as mirror:
            put(mirror, {1: "my cat"})
        with open_mirror(tmp_path, "letters/1/text alone") as mirror:
            assert mirror.states() == {}


class TestDying:
    @pytest.fixture
    def dies(self, mirror):
        """A page of which the rows were appended and nothing was committed."""
        put(mirror, {1: "my cat"})
        before = mirror.note("lengths")

        def die() -> None:
            with mirror.transaction():
                put_within(mirror, {1: "another animal", 2: "three words more"})
                raise Killed

        with pytest.raises(Killed):
            die()
        assert mirror.note("lengths") == before
        return mirror

    def test_between_append_and_commit_leaves_all_as_it_was(self, dies):
        assert words_of(dies, 1, 2) == ["my cat", ""]
        np.testing.assert_array_equal(dies.units(0, [1]).X, [word_row("my"), word_row("cat")])

    def test_and_going_on_writes_over_what_was_left(self, dies):
        put(dies, {2: "a dog", 3: "it"})
        found = dies.units(0, [1, 2, 3]).X
        expected = ["my", "cat", "a", "dog", "it"]
        np.testing.assert_array_equal(found, [word_row(word) for word in expected])

    def test_and_opening_again_finds_what_was_committed(self, dies, tmp_path):
        dies.__exit__()
        with open_mirror(tmp_path, words=True) as again:
            put(again, {2: "a dog"})
            found = again.units(0, [1, 2]).X
            expected = ["my", "cat", "a", "dog"]
            np.testing.assert_array_equal(found, [word_row(word) for word in expected])

    def test_before_anything_was_committed_begins_anew(self, tmp_path):
        with open_mirror(tmp_path, words=True):
            pass
        # As after a death between the empty rows and their commit.
        with open_mirror(tmp_path, words=True) as mirror:
            mirror.set_note("lengths", None)
        with open_mirror(tmp_path, words=True) as mirror:
            put(mirror, {1: "my cat"})
            assert mirror.note("lengths") == "[[2, 16], [3, 0]]"


def put_within(mirror: Mirror, texts: dict[int, str]) -> None:
    mirror.put_states(TaskState(task, "2026", False, 0, 0) for task in texts)
    mirror.put_features(list(texts), [b""] * len(texts), letters(list(texts.values()), words=True))


class TestDenseRows:
    def test_come_back_and_what_could_not_be_read_is_zero(self, tmp_path):
        X = np.array([[1, 2], [0, 0], [0, 3]], dtype=np.float32)
        read = Reading(X, (), {1: "spot: must be two numbers"}, frozenset())
        with Mirror(tmp_path, "key", (2, False)) as mirror:
            with mirror.transaction():
                mirror.put_states(TaskState(task, "2026", False, 0, 0) for task in (1, 2, 3))
                mirror.put_features([1, 2, 3], [b"1", b"2", b"3"], read)
            table = mirror.table()
            assert (table.rows == EMPTY_ROW).tolist() == [False, True, False]
            np.testing.assert_array_equal(mirror.features(table.rows), X)
            assert mirror.errors() == {"spot: must be two numbers": 1}


class TestWhatMayComeLater:
    def put(self, mirror: Mirror, read: Reading) -> None:
        with mirror.transaction():
            mirror.put_states(TaskState(task, "2026", False, 0, 0) for task in (1, 2, 3))
            mirror.put_features([1, 2, 3], [b"1", b"2", b"3"], read)
            mirror.set_unread([1, 2, 3], unread=False)

    def test_counts_as_not_read_yet(self, tmp_path):
        errors = {1: "sound: too slow", 2: "sound: no such file"}
        X = np.array([[1, 1], [0, 0], [0, 0]], dtype=np.float32)
        with Mirror(tmp_path, "key", (2, False)) as mirror:
            self.put(mirror, Reading(X, (), errors, frozenset({1})))
            assert mirror.digests([1, 2, 3]) == {1: b"1", 2: None, 3: b"3"}
            assert mirror.unread() == []
            mirror.forget_data_to_come(0)
            assert mirror.unread() == []
            mirror.forget_data_to_come(10)
            assert mirror.unread() == [2]
            self.put(mirror, Reading(X + 1, (), {}, frozenset()))
            mirror.forget_data_to_come(10)
            assert (mirror.unread(), mirror.errors()) == ([], {})


def test_annotations_and_layouts_are_read_side_by_side(mirror):
    put(mirror, {1: "my cat", 2: "a dog"})
    for task in (1, 2):
        made = Annotation(task, task, 1, [], False, False, "2026", "2026", None)
        mirror.put_annotations(task, [made])
    read = [(item.task, words_of(mirror, item.task)) for item in mirror.annotations()]
    assert read == [(1, ["my cat"]), (2, ["a dog"])]


class TestEdits:
    """Each leaves rows behind that nobody reads any more."""

    @pytest.mark.parametrize("text", ["my cat", "a much longer text about our dog"])
    def test_do_not_fill_the_disk(self, tmp_path, monkeypatch, text):
        monkeypatch.setattr(database, "LEFT_OVER_LEAST", 10)
        for round_ in range(40):
            with open_mirror(tmp_path, words=True) as mirror:
                put(mirror, {1: f"{text} {round_}", 2: "another"})
                assert words_of(mirror, 1) == [f"{text} {round_}"]
                size = sum(path.stat().st_size for path in tmp_path.rglob("*.bin"))
        # Of each file no more than its rows in use, three times, and ten; one round beyond.
        assert size < 40 * len(text.split()) * word_row("cat").nbytes

    def test_are_kept_while_they_are_few(self, tmp_path):
        for round_ in range(5):
            with open_mirror(tmp_path, words=True) as mirror:
                assert bool(mirror.note("kept")) == bool(round_)
                mirror.set_note("kept", "yes")
                put(mirror, {1: f"my cat {round_}"})

"""Values become rows side by side, and what is wrong with one costs only that one."""

from __future__ import annotations

import base64
import json
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import issparse

from active_learning import registry
from active_learning.errors import Unreadable
from active_learning.features import stored_values
from active_learning.types import Block
from ls_active.labeling.input import Input
from ls_active.labeling.inputs import FILES_AT_ONCE, VALUES_AT_ONCE, Inputs
from ls_active.labeling.plan import Head, Plan
from ls_active.media import MediaError, MediaProblem
from tests.harness.mirrors import COLUMNS, Letters, row_of
from tests.harness.units import Words, word_row


class Pair:
    """Two numbers."""

    name: ClassVar[str] = "pair"
    block: ClassVar[Block] = Block.NUMBERS
    media: ClassVar[bool] = False
    n_features = 2

    def __init__(self, attributes: object) -> None:
        self.attributes = attributes

    def parse(self, value: Any) -> list[float]:
        if not isinstance(value, list) or len(value) != 2:
            raise Unreadable(f"must be two numbers, got {value!r}")
        return value

    def transform(self, parsed: list[list[float]]) -> np.ndarray[Any, Any]:
        return np.array(parsed, dtype=np.float32).reshape(-1, 2)


class Size(Pair):
    """The number of bytes in a file, or a number, and one."""

    name: ClassVar[str] = "size"
    media: ClassVar[bool] = True

    def parse(self, value: Any) -> list[float]:
        return [len(value) if isinstance(value, bytes) else value, 1]


class Files:
    """Has the files it was given, and notes what it was asked for."""

    def __init__(self, **files: bytes | MediaError) -> None:
        self.files = files
        self.asked: list[list[str]] = []

    def fetch_all(self, values: list[str]) -> list[bytes | MediaError]:
        self.asked.append(list(values))
        return [self.files[value.rpartition("/")[2]] for value in values]


@pytest.fixture(autouse=True, scope="module")
def _registry():
    with pytest.MonkeyPatch.context() as patch:
        found = {each.name: each for each in (Letters, Pair, Size)}
        patch.setattr(registry, "featurizers", lambda: found)
        patch.setattr(registry, "unit_featurizers", lambda: {"words": Words})
        yield


TEXT = Input("text", "letters", 1, media=False)
TITLE = Input("title", "letters", 1, media=False)
SPOT = Input("spot", "pair", 1, media=False)
PLACE = Input("place", "pair", 1, media=False)
SOUND = Input("sound", "size", 1, media=True)
WORDS = Input("text", "words", 1, media=False)
GONE = MediaError(MediaProblem.NOT_FOUND, "studio.example has no such file", 404)
SLOW = MediaError(MediaProblem.TOO_SLOW, "studio.example did not send it in time")


def read(plan_inputs: tuple[Input, ...], *data: Any, media: Any = None, units: Any = ()):
    tasks = [{"id": 7 + place, "data": each} for place, each in enumerate(data)]
    return Inputs(Plan(inputs=plan_inputs, unit_inputs=units), media).read(tasks)


def dense(X: Any) -> Any:
    return X.toarray() if issparse(X) else X


class TestJoining:
    def test_one_input_is_stored_as_its_featurizer_makes_it(self):
        sparse, numbers = read((TEXT,), {"text": "a"}), read((SPOT,), {"spot": [1, 2]})
        assert issparse(sparse.X)
        np.testing.assert_array_equal(dense(sparse.X), [row_of("a")])
        np.testing.assert_array_equal(numbers.X, [[1, 2]])

    def test_dense_ones_stay_dense_side_by_side(self):
        X = read((SPOT, PLACE), {"spot": [1, 2], "place": [3, 4]}, {"place": [5, 6]}).X
        assert X.dtype == np.float32
        np.testing.assert_array_equal(X, [[1, 2, 3, 4], [0, 0, 5, 6]])

    def test_sparse_ones_stay_sparse_side_by_side(self):
        X = read((TEXT, TITLE), {"text": "a", "title": "b"}).X
        np.testing.assert_array_equal(dense(X), [np.concatenate([row_of("a"), row_of("b")])])

    def test_dense_beside_sparse_keep_their_zeros(self):
        data = [{"text": "a", "spot": [0, 5]}, {"text": "a"}, {"spot": [0, 5]}]
        X = read((SPOT, TEXT), *data).X
        assert X.dtype == np.float32
        letters = int(stored_values(X[[1]])[0])
        assert stored_values(X).tolist() == [letters + 2, letters, 2]
        np.testing.assert_array_equal(dense(X)[:, :2], [[0, 5], [0, 0], [0, 5]])

    def test_shape_and_blocks_are_known_before_anything_is_read(self):
        inputs = Inputs(Plan(inputs=(SPOT, TEXT), unit_inputs=(WORDS,)))
        assert inputs.shape == (2 + COLUMNS, True)
        assert inputs.blocks == ((Block.NUMBERS, 2), (Block.COUNTS, COLUMNS))
        assert inputs.unit_shapes == ((8, False),)
        assert Inputs(Plan(inputs=(SPOT,))).shape == (2, False)

    def test_no_tasks_and_no_inputs(self):
        assert read((SPOT, TEXT)).X.shape == (0, 2 + COLUMNS)
        assert read((), {"text": "a"}).X.shape == (1, 0)

    @given(
        st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "text": st.sampled_from(["a", "b c", "", None, 3]),
                    "spot": st.sampled_from([[0, 0.5], [3, 4], [1], None]),
                    "place": st.sampled_from([[7, 8], "here"]),
                },
            )
            | st.sampled_from([None, 3, []]),
            max_size=6,
        )
    )
    def test_every_task_is_read_as_if_it_were_alone(self, data):
        inputs = (SPOT, TEXT, PLACE)
        together = read(inputs, *data)
        assert together.X.shape == (len(data), 4 + COLUMNS)
        for place, one in enumerate(data):
            alone = read(inputs, one)
            assert (together.X[[place]] != alone.X).nnz == 0
            assert stored_values(together.X)[place] == stored_values(alone.X)[0]
            assert together.errors.get(place) == alone.errors.get(0)


class TestWhatCannotBeRead:
    @pytest.mark.parametrize(
        ("data", "why"),
        [
            (None, "text: data must be an object, got NoneType"),
            ("a cat", "text: data must be an object, got str"),
            ({}, "text: not in the task's data"),
            ({"spot": [1, 2]}, "text: not in the task's data"),
            ({"text": ""}, "text: empty text"),
            ({"text": "a"}, "spot: not in the task's data"),
            ({"text": "a", "spot": 3}, "spot: must be two numbers, got 3"),
        ],
    )
    def test_says_why(self, data, why):
        found = read((TEXT, SPOT), data)
        assert found.errors == {0: why}
        assert found.later == frozenset()

    def test_costs_only_itself(self):
        found = read((TEXT, SPOT), {"text": "a", "spot": "x"}, {"text": "b", "spot": [1, 2]})
        np.testing.assert_array_equal(dense(found.X)[:, :COLUMNS], [row_of("a"), row_of("b")])
        np.testing.assert_array_equal(dense(found.X)[:, COLUMNS:], [[0, 0], [1, 2]])
        assert list(found.errors) == [0]


class TestPaths:
    """Label Studio shows ``$meta.spot`` from an object within the data."""

    SPOT = Input("meta.spot", "pair", 1, media=False)

    def test_lead_to_values_within_the_data(self):
        found = read((self.SPOT,), {"meta": {"spot": [1, 2]}}, {"meta": {}}, {"meta": 3}, {})
        np.testing.assert_array_equal(found.X, [[1, 2], [0, 0], [0, 0], [0, 0]])
        assert found.errors == dict.fromkeys((1, 2, 3), "meta.spot: not in the task's data")

    def test_a_key_with_a_dot_goes_first(self):
        found = read((self.SPOT,), {"meta.spot": [3, 4], "meta": {"spot": [1, 2]}})
        np.testing.assert_array_equal(found.X, [[3, 4]])

    def test_to_files_are_fetched(self):
        sound = Input("meta.sound", "size", 1, media=True)
        found = read((sound,), {"meta": {"sound": "/data/a"}}, media=Files(a=b"abc"))
        np.testing.assert_array_equal(found.X, [[3, 1]])

    def test_change_the_digest(self):
        inputs = Inputs(Plan(inputs=(self.SPOT,)))
        one, other, none = {"meta": {"spot": 1}}, {"meta": {"spot": 2}}, {"meta": {}}
        assert len({inputs.digest(data) for data in (one, other, none)}) == 3
        assert inputs.digest(none) == inputs.digest({})


class TestFiles:
    def test_are_read_in_place_of_their_addresses(self):
        files = Files(a=b"abc", b=b"abcd")
        found = read((SOUND,), {"sound": "/data/a"}, {"sound": "/data/b"}, media=files)
        np.testing.assert_array_equal(found.X, [[3, 1], [4, 1]])
        assert (found.errors, files.asked) == ({}, [["/data/a", "/data/b"]])

    def test_that_cannot_be_had_cost_only_their_task(self):
        files = Files(a=b"abc", gone=GONE, slow=SLOW)
        data = [{"sound": f"/data/{name}"} for name in ("gone", "a", "slow")] + [{}]
        found = read((SOUND,), *data, media=files)
        np.testing.assert_array_equal(found.X, [[0, 0], [3, 1], [0, 0], [0, 0]])
        assert found.errors == {
            0: "sound: studio.example has no such file",
            2: "sound: studio.example did not send it in time",
            3: "sound: not in the task's data",
        }
        assert found.later == {2}

    def test_of_one_field_are_fetched_once_for_all_that_read_it(self):
        files, units = Files(a=b"abc"), (Input("sound", "words", 1, media=True),)
        found = read((SOUND,), {"sound": "a"}, media=files, units=units)
        assert files.asked == [["a"]]
        np.testing.assert_array_equal(found.X, [[3, 1]])
        assert found.errors == {0: "sound: must be text, got bytes"}

    def test_are_not_asked_for_where_the_value_is_there_itself(self):
        files = Files(a=b"abc")
        found = read((SOUND,), {"sound": 9}, {"sound": "a"}, media=files)
        np.testing.assert_array_equal(found.X, [[9, 1], [3, 1]])
        assert files.asked == [["a"]]

    @pytest.mark.parametrize("scheme", ["s3", "gs", "azure-blob"])
    def test_in_a_cloud_storage_are_fetched_through_label_studio(self, scheme):
        uri = f"{scheme}://bucket/sounds/ä b?.wav"
        files = Files(resolve=b"", a=b"abc")
        files.fetch_all = lambda values: files.asked.append(list(values)) or [b"abc"] * len(values)
        read((SOUND,), {"sound": uri}, {"sound": "https://files.example/a"}, media=files)
        [[resolved, plain]] = files.asked
        path = urlsplit(resolved)
        assert (path.scheme, path.netloc, path.path) == ("", "", "/tasks/7/resolve/")
        [encoded] = parse_qs(path.query)["fileuri"]
        assert base64.urlsafe_b64decode(encoded).decode() == uri
        assert plain == "https://files.example/a"

    def test_with_half_a_surrogate_in_their_name_cost_only_their_task(self):
        files = Files(**{"": b""}, a=b"abc")
        files.fetch_all = lambda values: [GONE, b"abc"]
        found = read((SOUND,), {"sound": "s3://bucket/\ud800"}, {"sound": "a"}, media=files)
        assert list(found.errors) == [0]

    def test_cannot_be_had_without_what_fetches_them(self):
        found = read((SOUND, SPOT), {"sound": "/data/a", "spot": [1, 2]})
        np.testing.assert_array_equal(found.X, [[0, 0, 1, 2]])
        assert found.errors == {0: "sound: no file"}

    def test_limit_how_many_tasks_are_read_at_once(self):
        assert Inputs(Plan(inputs=(TEXT, SOUND))).at_once == FILES_AT_ONCE
        units = (Input("sound", "words", 1, media=True),)
        assert Inputs(Plan(inputs=(TEXT,), unit_inputs=units)).at_once == FILES_AT_ONCE
        assert Inputs(Plan(inputs=(TEXT,))).at_once == VALUES_AT_ONCE


class TestUnits:
    def test_lie_where_they_were_cut(self):
        found = read((TEXT,), {"text": "my cat  purrs"}, units=(WORDS,))
        [[units]] = found.units
        assert units.layout.spans == ((0, 2), (3, 6), (8, 13))
        assert units.layout.text == "my cat  purrs"
        np.testing.assert_array_equal(units.X[1], word_row("cat"))

    def test_that_cannot_be_cut_cost_only_their_task(self):
        found = read((SPOT,), {"text": 3, "spot": [1, 2]}, {"text": "cat"}, None, units=(WORDS,))
        [[first, second, third]] = found.units
        assert (first, third) == (None, None)
        assert second.X.shape == (1, 8)
        np.testing.assert_array_equal(found.X, [[1, 2], [0, 0], [0, 0]])
        assert found.errors[0] == "text: must be text, got int"
        # What is wrong first is said.
        assert found.errors[1] == "spot: not in the task's data"

    def test_may_be_none(self):
        [[units]] = read((), {"text": "  "}, units=(WORDS,)).units
        assert (units.X.shape, units.layout.spans) == ((0, 8), ())


DATA = st.dictionaries(
    st.sampled_from(["text", "spot", "other"]),
    st.none() | st.text(max_size=3) | st.lists(st.integers(), max_size=2),
)


class TestTheDigest:
    plan = Plan(inputs=(TEXT,), unit_inputs=(Input("spot", "words", 1, media=False),))

    @given(DATA, DATA)
    def test_changes_exactly_with_the_values_that_are_read(self, one, other):
        same = all(one.get(field) == other.get(field) for field in ("text", "spot"))
        inputs = Inputs(self.plan)
        assert (inputs.digest(one) == inputs.digest(other)) == same

    @given(DATA)
    def test_does_not_depend_on_the_order_of_fields(self, data):
        backwards = dict(reversed(data.items()))
        inputs = Inputs(self.plan)
        assert inputs.digest(backwards) == inputs.digest(data)

    @pytest.mark.parametrize(
        "data", ['{"text": "\\ud83d"}', '{"text": NaN}', '{"text": {"b": 1, "a": [null]}}', "3"]
    )
    def test_is_there_for_anything_that_json_can_carry(self, data):
        assert len(Inputs(self.plan).digest(json.loads(data))) == 16

    def test_of_a_value_that_nests_without_end_leaves_that_of_the_others(self):
        inputs, nested = Inputs(self.plan), []
        for _ in range(2_000):
            nested = [nested]
        data = [{"text": text, "spot": spot} for text in "ab" for spot in (nested, None)]
        assert len({inputs.digest(each) for each in data}) == 4


class TestWhatAHeadSees:
    @pytest.fixture
    def inputs(self):
        return Inputs(Plan(inputs=(SPOT, TEXT, PLACE)))

    def test_is_everything(self, inputs):
        X = np.arange(40, dtype=np.float32).reshape(2, 20)
        seen, blocks = inputs.view(Head(None, None), X)
        assert seen is X
        assert blocks == inputs.blocks

    def test_is_the_difference_of_the_two_that_are_compared(self, inputs):
        X = inputs.read([{"data": {"spot": [1, 2], "text": "a", "place": [5, 7]}}]).X
        for sides, expected in (((2, 0), [[4, 5]]), ((0, 2), [[-4, -5]])):
            seen, blocks = inputs.view(Head(None, None, sides=sides), X)
            np.testing.assert_array_equal(dense(seen), expected)
            assert blocks == ((Block.NUMBERS, 2),)

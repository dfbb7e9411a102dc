"""What of a label config is learned, from what, and what is left out and why."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_learning.types import Kind
from ls_active.labeling.fields import look_at
from ls_active.labeling.input import Input
from ls_active.labeling.label_config import parse
from ls_active.labeling.plan import LeftOut, Plan, make_plan

CHOICES = '<Choice value="A"/><Choice value="B"/>'
TEXT = '<Text name="t" value="$text"/>'
TITLE = '<Text name="u" value="$title"/>'
VIDEO = '<Video name="v" value="$video"/>'


pytestmark = pytest.mark.usefixtures("words")


def view(inner: str, shown: str = TEXT) -> str:
    return f"<View>{shown}{inner}</View>"


def choices(attributes: str = "", inner: str = CHOICES, name: str = "c", to: str = "t") -> str:
    return f'<Choices name="{name}" toName="{to}" {attributes}>{inner}</Choices>'


def labels(name: str = "l", to: str = "t") -> str:
    return f'<Labels name="{name}" toName="{to}"><Label value="X"/></Labels>'


def plan_of(inner: str, shown: str = TEXT, vector: int = 0) -> Plan:
    return make_plan(parse(view(inner, shown)), vector)


def names(plan: Plan) -> list[str]:
    return [head.name for head in plan.heads]


class TestHeads:
    def test_every_control_that_can_be_is_learned_in_the_order_of_the_config(self):
        plan = plan_of(choices(name="b") + '<TextArea name="x" toName="t"/>' + choices(name="a"))
        assert names(plan) == ["b", "a"]
        assert [left_out.name for left_out in plan.left_out] == ["x"]

    @pytest.mark.parametrize(
        ("mode", "kind"),
        [
            ("", Kind.SINGLE),
            ('choice="single"', Kind.SINGLE),
            ('choice="single-radio"', Kind.SINGLE),
            ('choice="multiple"', Kind.MULTIPLE),
        ],
    )
    def test_know_what_an_answer_is(self, mode, kind):
        [head] = plan_of(choices(mode)).heads
        assert (head.kind, head.classes) == (kind, ("A", "B"))
        assert (head.sides, head.units) == (None, None)

    def test_asked_of_two_objects_see_both(self):
        plan = plan_of(choices(to="t,u"), TEXT + TITLE)
        assert names(plan) == ["c"]
        assert [item.field for item in plan.inputs] == ["text", "title"]

    def test_one_readable_object_is_enough(self):
        assert names(plan_of(choices(to="v,t"), TEXT + VIDEO)) == ["c"]

    def test_the_signature_is_json_and_says_what_was_asked(self):
        signature = plan_of(choices() + choices('choice="multiple"', name="d")).signature
        assert signature == [["c", "single", ["A", "B"]], ["d", "multiple", ["A", "B"]]]
        assert json.loads(json.dumps(signature)) == signature

    def test_the_same_config_is_planned_once(self):
        assert plan_of(choices()) is plan_of(choices())

    def test_pairs_are_learned_from_the_difference_of_their_objects(self):
        pair = '<Pairwise name="p" toName="u,t"/>'
        [head] = plan_of(pair, TEXT + TITLE).heads
        assert head.sides == (1, 0)


class TestWhatIsLeftOut:
    @pytest.mark.parametrize(
        ("config", "why"),
        [
            (view(choices('choice="many"')), "choice='many'"),
            (view(choices('perRegion="true"')), "perRegion"),
            (view(choices('perregion="True"')), "perRegion"),
            (view(choices('perItem="true"')), "perItem"),
            (view(choices('visibleWhen="choice-selected"')), "only sometimes"),
            (view(choices('whenTagName="x"')), "only sometimes"),
            (
                view(f'<View visibleWhen="region-selected"><View>{choices()}</View></View>'),
                "sometimes",
            ),
            (view(f'<View visiblewhen="region-selected">{choices()}</View>'), "sometimes"),
            (view(labels("c", "t,u"), TEXT + TITLE), "labels 2 objects"),
            (view(choices('value="$options"')), "from the task's data"),
            (
                view(f'<Repeater on="$x" indexFlag="i">{choices()}</Repeater>'),
                "from the task's data",
            ),
            (view(choices(inner='<Choice value="A"/>')), "1 choices"),
            (view(choices(), '<Video name="t" value="$video"/>'), "Video, which is not read"),
            (view(choices(), '<Textt name="t" value="$text"/>'), "Textt"),
            (view(choices(), '<Text name="t" value="fixed"/>'), "one field"),
            (view(choices(), '<Text name="t" value="$a, $b"/>'), "one field"),
            (view(choices(to="v"), VIDEO + '<Text name="c2" value="$c"/>'), "Video"),
            (view('<TextArea name="c" toName="t"/>'), "TextArea is not learned"),
            (view('<Choicess name="c" toName="t"><Choice value="A"/></Choicess>'), "Choicess"),
            (view('<Labels name="c" toName="v"><Label value="A"/></Labels>', VIDEO), "Video"),
            (view('<Pairwise name="c" toName="t,v"/>', TEXT + VIDEO), "objects"),
        ],
        ids=range(21),
    )
    def test_is_named_with_the_reason(self, config, why):
        plan = make_plan(parse(config))
        assert plan.heads == ()
        [left_out] = plan.left_out
        assert left_out.name == "c"
        assert why in left_out.why
        assert left_out.why in plan.reasons
        assert str(left_out) in plan.reasons

    @pytest.mark.parametrize("no", ['perRegion="false"', 'perItem="no"', 'visibleWhen=""'])
    def test_is_not_what_only_says_no(self, no):
        assert names(plan_of(choices(no))) == ["c"]

    def test_is_said_of_what_is_not_learned_with_what_is(self):
        [left_out] = plan_of('<Brush name="b" toName="t"/>').left_out
        assert (left_out.tag, left_out.name) == ("Brush", "b")
        assert "Choices" in left_out.why
        assert str(LeftOut("b", "Brush", "why")) == "<Brush name='b'>: why"

    def test_of_a_project_that_asks_nothing_is_nothing(self):
        plan = plan_of("")
        assert (plan.heads, plan.left_out) == ((), ())
        assert "nothing" in plan.reasons


class TestInputs:
    def test_every_object_that_can_be_read_is_one(self):
        plan = plan_of(choices(), TITLE + VIDEO + TEXT + '<Header value="$text"/>')
        assert plan.inputs == (
            Input("title", "text", 1, media=False),
            Input("text", "text", 1, media=False),
        )

    def test_values_that_are_addresses_are_fetched(self):
        plan = plan_of(choices(), '<Text name="t" value="$text" valueType="URL"/>')
        assert plan.inputs[0].media

    def test_a_ready_vector_takes_the_place_of_all(self):
        plan = plan_of(choices(), TEXT + VIDEO, vector=3)
        assert [(item.field, item.featurizer) for item in plan.inputs] == [("embedding", "vector")]
        assert dict(plan.inputs[0].attributes) == {"length": "3"}
        assert plan.vector == 3

    def test_with_a_vector_it_does_not_matter_what_is_shown(self):
        assert names(plan_of(choices(to="v"), VIDEO, vector=3)) == ["c"]

    def test_pairs_are_not_learned_from_one_vector(self):
        plan = plan_of('<Pairwise name="c" toName="t,u"/>', TEXT + TITLE, vector=3)
        assert plan.heads == ()
        assert "both must be read" in plan.reasons


class TestWhatATaskSays:
    @pytest.mark.parametrize(
        ("data", "vector", "numbers"),
        [
            ({"text": "a", "embedding": [1, 2.5]}, 2, ()),
            ({"text": "a", "size": 3, "age": 0.5, "old": True}, 0, ("age", "size")),
            ({"embedding": []}, 0, ()),
            ({"embedding": ["a", "b"]}, 0, ()),
            ({"embedding": [[1, 2]]}, 0, ()),
            ({"embedding": [True, False]}, 0, ()),
            ({"embedding": "words2vec", "n": 1}, 0, ("n",)),
            (None, 0, ()),
            (["a"], 0, ()),
        ],
    )
    def test_beyond_the_config(self, data, vector, numbers):
        assert look_at([data]) == (vector, numbers)
        assert look_at([data, data]) == (vector, numbers)

    def test_counts_only_where_tasks_agree(self):
        odd = [{"a": 1984, "b": 1}, {"a": "a text", "b": None}, {"a": "another", "b": 2.5}]
        assert look_at(odd) == (0, ("b",))
        assert look_at([{"embedding": [1, 2]}, {"text": "none"}]) == (0, ())
        assert look_at([]) == (0, ())

    def test_two_that_are_read_differently_are_not_compared(self):
        config = parse(view('<Pairwise name="c" toName="t,u"/>', TEXT + TITLE))
        plan = make_plan(config, 0, ("text",))
        assert plan.heads == ()
        assert "read differently" in plan.reasons

    def test_is_how_text_tags_that_show_numbers_are_read(self):
        config = parse(view(choices(), TEXT + TITLE))
        plan = make_plan(config, 0, ("text", "other"))
        assert [item.featurizer for item in plan.inputs] == ["number", "text"]
        assert plan.numbers == ("text", "other")
        assert plan.feature_key != make_plan(config).feature_key
        assert plan.signature == make_plan(config).signature


class TestTheFeatureKey:
    def test_is_what_it_always_was(self):
        assert plan_of(choices()).feature_key == "text/1/text"
        both = plan_of(choices() + labels(), TEXT + TITLE).feature_key
        assert both == "text/1/text text/1/title words/1/text"

    def test_does_not_change_with_names_controls_or_the_order_of_attributes(self):
        key = plan_of(choices(), '<Text name="t" value="$text" a="1" b="2"/>').feature_key
        other = plan_of(
            choices('choice="multiple"', to="x"), '<Text b="2" a="1" name="x" value="$text"/>'
        )
        assert other.feature_key == key

    def test_changes_with_anything_features_are_made_from(self):
        keys = {
            plan_of(choices(to="t"), shown, vector).feature_key
            for shown, vector in [
                (TEXT, 0),
                ('<Text name="t" value="$other"/>', 0),
                ('<Text name="t" value="$text" a="1"/>', 0),
                ('<Text name="t" value="$text" a="2"/>', 0),
                ('<Text name="t" value="$text" b="1"/>', 0),
                (TEXT + TITLE, 0),
                (TITLE + TEXT, 0),
                (TEXT, 3),
                (TEXT, 4),
            ]
        }
        assert len(keys) == 9

    @given(st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3)), max_size=3))
    def test_tells_attributes_apart(self, attributes):
        one = Input("text", "text", 1, media=False, attributes=tuple(attributes))
        other = Input("text", "text", 1, media=False, attributes=(*attributes, ("a", "b")))
        assert one.key != other.key


class TestSequences:
    def test_of_one_object_share_its_units(self):
        plan = plan_of(labels("l") + choices() + labels("m"))
        assert [(head.name, head.units) for head in plan.heads] == [
            ("l", 0),
            ("c", None),
            ("m", 0),
        ]
        assert plan.unit_inputs == (Input("text", "words", 1, media=False),)

    def test_of_two_objects_have_each_their_own(self):
        plan = plan_of(labels("l") + labels("m", "u"), TEXT + TITLE)
        assert [head.units for head in plan.heads] == [0, 1]
        assert [item.field for item in plan.unit_inputs] == ["text", "title"]

    def test_keep_their_units_beside_a_ready_vector(self):
        plan = plan_of(labels(), vector=3)
        assert names(plan) == ["l"]
        assert [item.featurizer for item in plan.unit_inputs] == ["words"]

    def test_left_out_need_no_units(self):
        plan = plan_of(choices() + labels().replace("<Labels", '<Labels perRegion="true"'))
        assert (names(plan), plan.unit_inputs) == (["c"], ())

    def test_regions_of_what_is_learned_are_read(self):
        assert plan_of(choices() + labels()).region_types == {"choices", "labels"}
        assert plan_of(choices()).region_types == {"choices"}

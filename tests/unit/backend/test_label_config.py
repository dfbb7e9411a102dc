from __future__ import annotations

from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ls_active.errors import BadLabelConfig
from ls_active.labeling import label_config
from ls_active.labeling.label_config import LabelConfig, parse

CONFIG = parse(
    '<View><Header value="Which?"/><Text name="t" value="$text"/>'
    '<Choices name="c" toName="t"><Choice value="A"/><Choice value="B" alias="b"/></Choices>'
    '<Choices name="m" toName="t" choice="multiple"><Choice value="X"/><Choice value="Y"/>'
    "</Choices>"
    '<Image name="i" value="$image"/></View>'
)
REGION = {"from_name": "c", "to_name": "t", "type": "choices", "value": {"choices": ["A"]}}
GOOD = {"result": [REGION], "score": 0.5, "model_version": "al-1"}


def test_controls_and_objects_are_what_the_config_says() -> None:
    single, multiple = CONFIG.controls

    assert (single.name, single.tag, single.to_names) == ("c", "Choices", ("t",))
    assert single.labels == ("A", "b")
    assert multiple.attribute("choice") == "multiple"
    assert [(shown.name, shown.tag, shown.field) for shown in CONFIG.objects] == [
        ("t", "Text", "text"),
        ("i", "Image", "image"),
    ]
    assert not CONFIG.empty


names = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"]), min_size=1
)


@given(st.lists(names.filter(str.strip), min_size=1, unique_by=str.strip))
def test_labels_survive_the_round_trip(labels: list[str]) -> None:
    # What XML itself makes of white space in attributes is not our business.
    labels = [" ".join(label.split()) for label in labels]
    inner = "".join(f"<Choice value={quoteattr(label)}/>" for label in labels)
    xml = f'<View><Text name="t" value="$x"/><Choices name="c" toName="t">{inner}</Choices></View>'

    assert parse(xml).controls[0].labels == tuple(dict.fromkeys(labels))


def test_choices_within_choices_are_paths() -> None:
    inner = (
        '<Choice value="Animal"><Choice value="Cat" alias="c"><Choice value="Tabby"/></Choice>'
        '<Choice value="Dog"/></Choice><View><Choice value="hidden"/></View><Choice value="Moss"/>'
    )
    xml = (
        f'<View><Text name="t" value="$x"/><Taxonomy name="c" toName="t">{inner}</Taxonomy></View>'
    )

    assert parse(xml).controls[0].paths == (
        ("Animal",),
        ("Animal", "c"),
        ("Animal", "c", "Tabby"),
        ("Animal", "Dog"),
        ("Moss",),
    )


def test_a_view_arranges_choices() -> None:
    inner = '<View><Choice value="a"/><View><Choice value="b"/></View></View><Choice value="c"/>'
    xml = f'<View><Text name="t" value="$x"/><Choices name="c" toName="t">{inner}</Choices></View>'

    assert parse(xml).controls[0].paths == (("a",), ("b",), ("c",))


def test_a_time_series_names_its_channels() -> None:
    inner = '<Channel column="x"/><MultiChannel><Channel column="y"/></MultiChannel><Channel/>'
    config = parse(
        f'<View><TimeSeries name="s" value="$v" timeColumn="t">{inner}</TimeSeries>'
        '<TimeSeries name="u" value="$w"/></View>'
    )

    assert config.object["s"].attribute("channels") == "x,y"
    assert config.object["s"].attribute("timeColumn") == "t"
    assert config.object["u"].attribute("channels") == ""


def test_the_same_text_is_parsed_once_and_another_has_another_digest() -> None:
    config = parse(CONFIG.xml)

    assert parse(CONFIG.xml) is config
    assert parse(CONFIG.xml + " ").digest != config.digest


def test_a_project_nobody_has_set_up_asks_nothing() -> None:
    assert parse("<View></View>").empty


BOMB = '<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;">]><View><Header value="&z;"/></View>'
EXTERNAL = '<!DOCTYPE a SYSTEM "file:///etc/passwd"><View/>'


@pytest.mark.parametrize(
    ("xml", "why"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("not XML", "not XML"),
        ("<View>", "not XML"),
        ("<View>\x00</View>", "not XML"),
        ("<View>\ud800</View>", "not XML"),
        ("<View/><View/>", "not XML"),
        (BOMB, "DTD or entities"),
        (EXTERNAL, "DTD or entities"),
        ("<View>" + " " * 10_000_000 + "</View>", "bytes"),
        ("<View>" * 300 + "</View>" * 300, "nested deeper"),
        ("<View>" * 100_000 + "</View>" * 100_000, "nested deeper"),
        ('<?xml version="1.0" encoding="UTF-8"?><View/>', "SDK cannot read"),
        ('<View><Choices name="c" toName="nobody"/></View>', "toName='nobody'"),
        ('<View><Text name="t" value="$a"/><Text name="t" value="$b"/></View>', "twice: t"),
    ],
    ids=range(15),
)
def test_what_is_no_label_config_is_refused_in_a_sentence(xml: str, why: str) -> None:
    with pytest.raises(BadLabelConfig, match=why) as caught:
        parse(xml)
    assert len(str(caught.value)) < 400


def test_the_sdk_never_sees_a_dtd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_config, "LabelInterface", lambda _: pytest.fail("it did"))
    for xml in (BOMB + " ", EXTERNAL + " "):
        with pytest.raises(BadLabelConfig):
            parse(xml)


@given(st.text() | st.text(st.sampled_from("<>/View Choices='\"&;!-[]")))
def test_any_text_is_a_config_or_refused(xml: str) -> None:
    try:
        assert isinstance(parse(xml), LabelConfig)
    except BadLabelConfig:
        return


def test_a_good_prediction_has_no_problems() -> None:
    assert CONFIG.validate(GOOD) == []
    assert CONFIG.validate({**GOOD, "result": []}) == []
    both = {**REGION, "from_name": "m", "value": {"choices": ["X", "Y"]}}
    assert CONFIG.validate({**GOOD, "result": [REGION, both]}) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"score": None}, "score must be"),
        ({"score": True}, "score must be"),
        ({"score": 1.01}, "score must be"),
        ({"score": float("nan")}, "not JSON"),
        ({"score": float("inf")}, "not JSON"),
        ({"score": np.float64(0.5)}, "float64 is not a JSON type"),
        ({"score": np.float32(0.5)}, "float32 is not a JSON type"),
        ({"model_version": ""}, "model_version"),
        ({"model_version": None}, "model_version"),
        ({"result": None}, "must be a list"),
        ({"result": ["A"]}, "must be a dictionary"),
        ({"result": ({},)}, "tuple is not a JSON type"),
        ({"result": [REGION, REGION]}, "one answer only"),
    ],
    ids=range(13),
)
def test_a_bad_prediction_is_named(change: dict[str, Any], problem: str) -> None:
    assert problem in " ".join(CONFIG.validate(GOOD | change))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"from_name": None}, "from_name must be"),
        ({"from_name": "x"}, "'from_name' 'x' not found"),
        ({"to_name": "i"}, "not valid for control"),
        ({"type": "labels"}, "does not match"),
        ({"type": 3}, "Unexpected error"),
        ({"score": 1.5}, "region's score"),
        ({"score": "0.5"}, "region's score"),
        ({"value": {"choices": []}}, "at least one"),
        ({"value": {"choices": "A"}}, "at least one"),
        ({"value": None}, "at least one"),
        ({"value": {"choices": ["A", "b"]}}, "one choice only"),
        ({"value": {"choices": ["B"]}}, "Invalid value"),
        ({"value": {"choices": [np.str_("A")]}}, "str_ is not a JSON type"),
    ],
    ids=range(13),
)
def test_a_bad_region_is_named(change: dict[str, Any], problem: str) -> None:
    assert problem in " ".join(CONFIG.validate({**GOOD, "result": [REGION | change]}))

import importlib
import sys
import types
from pathlib import Path

import pytest

from active_learning import registry
from active_learning.errors import InvalidInput, UnknownComponent
from active_learning.featurizers.text import TextFeaturizer
from active_learning.types import Block, Kind

ONE = '''
from collections import OrderedDict

class Shared:
    pass

class Paint:
    name = "paint"

class Glossy(Paint):
    """Inherits a name, declares none."""
'''

TWO = """
from paints.one import Paint

class Wood:
    name = "wood"
"""


@pytest.fixture
def paints(tmp_path, monkeypatch):
    folder = tmp_path / "paints"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "one.py").write_text(ONE)
    (folder / "two.py").write_text(TWO)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("paints")
    for name in [name for name in sys.modules if name.split(".")[0] == "paints"]:
        del sys.modules[name]


def test_what_ships():
    assert {"auto", "margin", "random"} <= set(registry.strategies())
    assert set(registry.learners()) == {"multiple", "number", "sequence", "single"}
    assert registry.featurizers()["text"] is TextFeaturizer


def test_discover_finds_what_a_folder_defines_and_nothing_it_imports(paints):
    found = registry.discover(paints, registry.declares_name)
    assert [member.__name__ for member in found] == ["Paint", "Wood"]


def test_a_new_file_is_enough(paints):
    module = types.ModuleType("paints")
    module.__path__ = paints.__path__
    folder = next(iter(paints.__path__))
    Path(folder, "three.py").write_text("class Oil:\n    name = 'oil'\n")
    names = registry.by_name(registry.discover(module, registry.declares_name))
    assert list(names) == ["paint", "oil", "wood"]


def test_two_of_one_name_are_refused():
    first = type("First", (), {"name": "same"})
    second = type("Second", (), {"name": "same"})
    with pytest.raises(InvalidInput, match="'same'"):
        registry.by_name([first, second])


def test_unknown_strategy_lists_the_known():
    with pytest.raises(UnknownComponent, match=r"'margn'; known: auto, .*margin, .*random, "):
        registry.strategy_named("margn")


def test_featurizer_of_an_object_tag():
    assert registry.featurizer_of("Text") is TextFeaturizer
    assert registry.featurizer_of("Hologram") is None
    assert registry.unit_featurizer_of("Hologram") is None


def test_an_object_tag_has_one_featurizer_and_one_way_to_be_cut():
    for found, tags in (
        (registry.featurizers(), "object_tags"),
        (registry.unit_featurizers(), "unit_tags"),
    ):
        read = [tag for item in found.values() for tag in getattr(item, tags)]
        assert len(read) == len(set(read))


def test_featurizers_are_found_by_every_tag_they_read():
    for item in registry.featurizers().values():
        assert all(registry.featurizer_of(tag) is item for tag in item.object_tags)
        assert item.block in Block
    for item in registry.unit_featurizers().values():
        assert all(registry.unit_featurizer_of(tag) is item for tag in item.unit_tags)


def test_a_learner_of_each_kind():
    for kind in Kind:
        assert registry.learner_of(kind).kind is kind
        assert registry.learner_of(kind) is registry.learner_of(kind)

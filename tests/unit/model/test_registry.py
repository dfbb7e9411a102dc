import importlib
import sys
import types
from pathlib import Path

import pytest

from active_learning import registry
from active_learning.errors import InvalidInput, UnknownComponent
from active_learning.featurizers.text import TextFeaturizer
from active_learning.learners.linear import LinearModel

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
    assert set(registry.strategies()) == {"entropy", "least_confidence", "margin", "random"}
    assert registry.featurizers() == {"text": TextFeaturizer}
    assert registry.learners() == {"linear": LinearModel}


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
    with pytest.raises(UnknownComponent, match=r"'margn'; known: entropy, .*margin, random"):
        registry.strategy_named("margn")


def test_featurizer_for_object_tag():
    assert isinstance(registry.featurizer_for("Text"), TextFeaturizer)
    assert registry.featurizer_for("Hologram") is None

import importlib
import pkgutil

import active_learning


def test_public_names_are_sorted_and_exist():
    names = active_learning.__all__
    constants = [name for name in names if name.isupper()]
    others = [name for name in names if not name.isupper()]
    types = [name for name in others if name[0].isupper()]
    assert names == sorted(constants) + sorted(types) + sorted(set(others) - set(types))
    assert all(hasattr(active_learning, name) for name in names)


def test_no_public_name_hides_a_module():
    for module in pkgutil.walk_packages(active_learning.__path__, "active_learning."):
        parent, _, name = module.name.rpartition(".")
        assert getattr(importlib.import_module(parent), name, None) in (
            None,
            importlib.import_module(module.name),
        )

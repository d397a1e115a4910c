"""The examples in the docstrings, those of the compiled core too."""

from __future__ import annotations

import doctest
import importlib
import os

import pytest

from house.tree import compiled, modules

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


@pytest.mark.parametrize("name", [m for m in [*modules(), *compiled()] if not m.endswith("__main__")])
def test_examples(name: str, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
    assert not result.failed
    assert os.getcwd() == str(tmp_path), "an example changed the folder"

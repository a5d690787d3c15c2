"""What `genrec` names at its door can be had there, and only when asked for."""

import importlib
import re
import subprocess
import sys

import pytest

import genrec


def test_version_is_a_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.?(a|b|rc|dev)\d+)?", genrec.__version__)


def test_every_exported_name_can_be_had() -> None:
    names = getattr(genrec, "__all__", [])
    assert len(names) == len(set(names))
    assert [name for name in names if not hasattr(genrec, name)] == []
    assert set(names) <= set(dir(genrec))


def test_exports_have_docstrings() -> None:
    exported = [getattr(genrec, name) for name in getattr(genrec, "__all__", [])]
    assert [thing for thing in exported if callable(thing) and not thing.__doc__] == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        importlib.import_module("genrec").no_such_name  # noqa: B018


def test_import_is_quick_and_light() -> None:
    """`import genrec` loads neither torch nor a data frame library; a command line starts at once."""
    program = "import sys, genrec; print(*{'torch', 'transformers', 'polars', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []

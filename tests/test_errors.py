"""Errors say what was found, where, what is allowed and what to do."""

import inspect
import pickle

import pytest

from genrec import errors
from genrec.errors import CorruptBundle, DataError, GenrecError, SplitError, UnknownItem, shorten

TREE = [thing for _, thing in inspect.getmembers(errors, inspect.isclass) if issubclass(thing, GenrecError)]


def test_a_message_carries_every_part_in_order() -> None:
    error = DataError("not a number", value="x1", where="ratings.csv:7", allowed="0 to 5", remedy="correct the row")
    assert str(error) == "ratings.csv:7: not a number (found 'x1'). Allowed: 0 to 5. Remedy: correct the row."


def test_a_message_leaves_out_what_is_not_known() -> None:
    assert str(GenrecError("the disk is full")) == "the disk is full."


@pytest.mark.parametrize("value", [0, "", False, []])
def test_a_false_value_is_shown_too(value: object) -> None:
    assert f"found {value!r}" in str(DataError("bad", value=value))


def test_long_values_are_shortened() -> None:
    assert shorten("a") == "'a'"
    shown = shorten("x" * 5000)
    assert len(shown) < 150
    assert shown.endswith("… (5,002 characters)")


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_every_error_is_caught_as_a_genrec_error_and_explains_itself(kind: type[GenrecError]) -> None:
    assert kind.__doc__
    with pytest.raises(GenrecError, match="broken"):
        raise kind("broken", value=1, remedy="mend it")


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_errors_cross_processes_unchanged(kind: type[GenrecError]) -> None:
    error = kind("broken", value=[1, 2], where="here", allowed="there", remedy="mend it")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.value) == (kind, str(error), [1, 2])


def test_special_cases_are_cases_of_the_general() -> None:
    assert issubclass(SplitError, DataError)
    assert issubclass(CorruptBundle, errors.BundleError)


def test_an_unknown_item_keeps_its_neighbours() -> None:
    error = UnknownItem("no such item", value="Heatt", nearest=["Heat"], remedy="nearest: Heat")
    assert pickle.loads(pickle.dumps(error)).nearest == error.nearest == ["Heat"]

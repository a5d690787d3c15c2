"""Reviews as examples: what their evidence is by hand, names that no evidence holds, and who is held out."""

from pathlib import Path

import numpy as np
import pytest

from genrec.decoding.engine import TextRule
from genrec.errors import DataError
from genrec.explaining.reviews import Ground, Library, Reviews, marked_text, review_examples, written
from tests.explaining.toyfilms import Pieces, prompts
from tests.helpers.scripted import ScriptedEngine, seeded

ROWS = [
    ("u1", "i1", "Green Cup", "You would like Green Cup for jasmine tea and quiet rooms."),
    ("u1", "i2", "Hot Stone", "You would like Hot Stone for pizza."),
    ("u2", "i1", "Green Cup", "You would like it for jasmine tea and loud music."),
    ("u3", "i2", "Hot Stone", "You would like Hot Stone for pizza with Publix cheese."),
    ("u4", "i1", "Green Cup", "You would like it for quiet rooms."),
]


@pytest.fixture
def reviews(tmp_path: Path) -> Reviews:
    lines = ["user,item,title,text", *(",".join(row) for row in ROWS)]
    (tmp_path / "reviews.csv").write_text("\n".join(lines), encoding="utf-8")
    return Reviews.read(tmp_path / "reviews.csv")


@pytest.fixture
def library(reviews: Reviews) -> Library:
    return Library(reviews, np.arange(len(reviews)))


def test_evidence_is_what_the_others_say_of_the_item_and_the_user_elsewhere(library: Library) -> None:
    found = library.ground(0)
    assert found.title == "Green Cup"
    assert found.user_words == ()  # pizza stands in more than a quarter of the texts
    assert set(found.item_words) <= {"jasmine", "tea", "quiet", "rooms", "music", "loud", "and", "for"}
    assert "Stone" in found.names
    assert "Publix" not in found.names


def test_names_and_numbers_that_no_evidence_holds_are_refused(library: Library) -> None:
    ground = library.ground(3)
    assert ground.problems("You would like {item} for pizza with Publix cheese.") == ["'Publix' is in no evidence"]
    assert ground.problems("You would like {item} for its 12 pizzas.") == ["'12' is in no evidence"]
    assert ground.problems("You would like {item} for pizza. And for {liked_1}.")[-1:] == ["unknown marker liked_1"]
    assert ground.problems("You would like {item} for pizza.") == []


def test_examples_have_the_name_as_a_marker_and_invent_none(library: Library) -> None:
    asks, answers = review_examples(library, prompts())
    assert len(asks) == len(answers) == 4
    assert "You would like {item} for pizza." in answers
    assert not any("Publix" in one for one in answers)
    assert all(one.startswith("<|why|>") for one in asks)


def test_the_best_draft_that_names_nothing_foreign_is_taken() -> None:
    ground = Ground("Hot Stone", ("pizza",), ("cheese",), frozenset({"Hot", "Stone"}))
    said = ["At {item} you get Publix pizza and cheese.", "Try {item}.", "{item} has pizza and cheese."]

    def reply(prompt: object, rule: TextRule) -> list[int]:
        return Pieces().ids(said[rule.seed % 3])

    engine = ScriptedEngine(seeded((2,)), [np.array([1 << 20, (1 << 20) + 1])], reply=reply)
    prompt = prompts()["review"]
    assert written(engine, Pieces(), prompt, [ground]) == [("Hot Stone has pizza and cheese.", True)]
    said[1:] = said[:1] * 2
    assert written(engine, Pieces(), prompt, [ground]) == [("The user would enjoy Hot Stone for cheese.", False)]
    assert marked_text("Hot Stone, the Hot Stones", ground) == "{item}, the Hot Stones"


def test_the_same_users_are_held_out_whatever_the_rows(reviews: Reviews) -> None:
    again = Reviews(reviews.table.reverse())
    assert again.held_out.tolist() == reviews.held_out.tolist()[::-1]
    users = Reviews(reviews.table.select("user", "item", "text", "title", "user_text", "item_text"))
    assert users.held_out.tolist() == reviews.held_out.tolist()


def test_reviews_are_interactions_and_a_catalog(reviews: Reviews) -> None:
    data = reviews.dataset()
    assert data.catalog.titles == ["Green Cup", "Hot Stone"]
    assert data.interactions.table["item_id"].to_list() == [row[1] for row in ROWS]


@pytest.fixture(params=["user,item\n1,2", "user,item,text\n1,,x"])
def bad(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    (tmp_path / "bad.csv").write_text(request.param, encoding="utf-8")
    return tmp_path / "bad.csv"


def test_bad_files_are_refused(bad: Path) -> None:
    with pytest.raises(DataError, match="review"):
        Reviews.read(bad)
    with pytest.raises(DataError, match="cannot be read"):
        Reviews.read(bad / "absent.csv")

"""Reviews as examples: what their evidence is by hand, names that no evidence holds, and who is held out."""

from pathlib import Path

import numpy as np
import pytest

from genrec.errors import DataError
from genrec.explaining.reviews import Ground, Library, Pieces, Reviews, marked_text, review_examples, written
from tests.explaining.toyfilms import Pieces as Words
from tests.explaining.toyfilms import prompts
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


LEARNT = [
    "You would like {item} for pizza, cheese, and quiet rooms.",
    "You would like {item} for tea, jasmine, and loud rooms.",
    "You would like {item} for cheese, Publix pizza, and nothing.",
    "A text without a beginning that others have.",
]


def test_texts_are_put_together_of_pieces_with_evidence() -> None:
    ground = Ground("Hot Stone", ("pizza",), ("cheese", "quiet"), frozenset({"Hot", "Stone"}))
    found = Pieces.of(LEARNT).texts(ground)
    assert "You would like {item} for pizza, cheese, and quiet rooms." in found
    assert "You would like {item} for cheese, cheese, and quiet rooms." not in found
    assert not any("tea" in text or "loud" in text or "Publix" in text for text in found)
    assert Pieces.of(LEARNT).texts(Ground("x", (), ("boats",), frozenset())) == []
    assert Pieces.of([]).texts(ground) == []


def test_the_model_chooses_and_where_nothing_fits_the_plain_sentence_stands() -> None:
    ground = Ground("Hot Stone", ("pizza",), ("cheese", "quiet"), frozenset({"Hot", "Stone"}))
    lost = Ground("Sea", (), ("boats",), frozenset({"Sea"}))
    words = Words()
    engine = ScriptedEngine(seeded((2,)), [np.array([1 << 20, (1 << 20) + 1])], taste=lambda prompt, token: -token)
    (own, mine), (plain, not_mine) = written(engine, words, prompts()["review"], Pieces.of(LEARNT), [ground, lost])
    assert mine
    assert own in {text.replace("{item}", "Hot Stone") for text in Pieces.of(LEARNT).texts(ground)}
    assert (plain, not_mine) == ("The user would enjoy Sea for boats.", False)
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

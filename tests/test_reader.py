"""A bundle that learns to read: what it writes is a Request of its catalog, and its ranking stays bit by bit."""

from __future__ import annotations

import runpy
import shutil
import sys
import warnings
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import PreTrainedModel

from genrec.bundle import Bundle
from genrec.chatting.conversation import Conversation, Leaning
from genrec.chatting.mentions import Mentions
from genrec.chatting.phrasing import phrasebook
from genrec.chatting.request import Request
from genrec.chatting.rules import Rule
from genrec.examples import Examples
from genrec.leaning import Leaner
from genrec.model.reading import load_reading, save_reading
from genrec.reader import Reader
from genrec.recommender import Recommender
from genrec.resources import folder
from genrec.settings import load_settings
from genrec.talking import Talk
from genrec.tuning.learnt import Padded, cross_entropy, flattened
from genrec.tuning.reading import ReadingSettings, lessons, reading_examples, reading_model, reading_vocabulary, teach
from genrec.tuning.readtest import measured
from tests.helpers.running import ROOT, Tiny

SETTINGS = load_settings(
    ReadingSettings, None, ["examples=120", "words=600", "doubted=0.2", "optimiser={epochs: 2, batch_size: 32}"]
)
BOOKS = {language: phrasebook(folder("prompts"), language) for language in SETTINGS.languages}


@pytest.fixture(scope="module")
def taught(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    bundle, run = Bundle.open(tiny.bundle), tmp_path_factory.mktemp("taught")
    drawn = lessons(bundle.catalog, BOOKS, SETTINGS, SETTINGS.examples, 0)
    vocabulary = reading_vocabulary(bundle, SETTINGS, drawn)
    model = reading_model(bundle, SETTINGS, vocabulary)
    examples = reading_examples(vocabulary, BOOKS["en"], drawn)
    before = loss_of(model, examples)
    assert teach(model, examples, SETTINGS, run / "run") == 14  # twice the seven batches of 32 in 240
    assert loss_of(model, examples) < 0.9 * before
    out = run / "bundle"

    def fill(place: Path) -> None:
        save_reading(place, model, vocabulary, folder("prompts"), SETTINGS.languages)

    return bundle.extended(out, fill, chat="full")


def loss_of(model: PreTrainedModel | PeftModel, examples: Examples) -> float:
    """The loss of all choices."""
    columns = examples.columns()
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    batch = Padded(0)(rows)
    labels = batch.pop("labels")
    with flattened(model), torch.no_grad():
        return float(cross_entropy(model(**batch), labels))


def test_the_ranker_is_the_same_to_the_bit(tiny: Tiny, taught: Bundle) -> None:
    before, after = Bundle.open(tiny.bundle).manifest, Bundle.open(taught.folder).manifest
    assert {name: after.files[name] for name in before.files} == before.files
    assert all(name.startswith("chat/") for name in after.files.keys() - before.files.keys())
    assert (before.chat, after.chat) == (None, "full")
    assert Reader.open(Bundle.open(tiny.bundle)) is None


def test_whatever_it_has_learnt_it_reads_requests_of_its_catalog(taught: Bundle) -> None:
    reader = Reader.open(taught)
    assert reader is not None
    title = taught.catalog.titles[0]
    messages = [f"I liked “{title}”, no comedies before 1990", "换一批，不要恐怖", "", "surprise me"]
    together = reader.read(messages, [(), taught.catalog.item_ids[:3], (), ()])
    assert together[1] == reader(messages[1], taught.catalog.item_ids[:3])
    assert [one.language for one in together] == ["en", "zh", "en", "en"]
    assert {item for one in together for item in (*one.liked, *one.disliked, *one.seen)} <= set(taught.catalog.item_ids)
    shares = measured(reader, BOOKS, SETTINGS, 3)
    assert len(shares) == 4
    assert all(0 <= one["low"] <= one["value"] <= one["high"] <= 1 for one in shares.values())


def test_an_adapter_reads_with_the_bundles_own_words(tiny: Tiny, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(
        update={"adapter": "lora", "optimiser": SETTINGS.optimiser.model_copy(update={"epochs": 0.3})}
    )
    bundle = Bundle.open(tiny.bundle)
    drawn = lessons(bundle.catalog, BOOKS, settings, 40, 0)
    vocabulary = reading_vocabulary(bundle, settings, drawn)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft's
        model = reading_model(bundle, settings, vocabulary)
        teach(model, reading_examples(vocabulary, BOOKS["en"], drawn), settings, tmp_path / "run")
        done = bundle.extended(
            tmp_path / "lora",
            lambda place: save_reading(place, model, vocabulary, folder("prompts"), ["en"]),
            chat="lora",
        )
        voice = load_reading(done, device="cpu")
        reader = Reader.open(done)
    assert voice is not None
    assert reader is not None
    assert isinstance(reader("no horror, something else"), Request)
    ranker = load_ranker(done)
    assert all(torch.equal(part, other) for part, other in zip(load_ranker(bundle), ranker, strict=True))


def load_ranker(bundle: Bundle) -> list[torch.Tensor]:
    from genrec.model.loading import weights

    return list(weights(bundle).state_dict().values())


def test_traits_moods_and_dislikes_move_scores_and_forbid_nothing(tiny: Tiny) -> None:
    recommender = Recommender.open(tiny.bundle)
    catalog = recommender.catalog
    genre = catalog.table["genres"][0][0]
    trait = Rule(field="genres", op="=", value=genre)
    has = np.array([genre in genres for genres in catalog.table["genres"]])
    leaner = Leaner(catalog)
    assert leaner.values(Leaning(liked=(trait,))).tolist() == has.astype(float).tolist()
    assert leaner.values(Leaning(disliked=(trait,))).tolist() == (-2.0 * has).tolist()
    assert leaner.values(Leaning(moods=("tense",))).tolist() == [0.0] * len(catalog)  # no encoder: left aside
    vectors = np.eye(len(catalog), dtype=np.float32)
    away = Leaner(catalog, vectors).values(Leaning(unlike=(catalog.item_ids[3],)))
    assert away.argmin() == 3
    assert leaner.values(Leaning(liked=(trait,))) is leaner.values(Leaning(liked=(trait,)))  # kept for the next turn
    history = catalog.item_ids[:3]
    plain = recommender.recommend(history, 60, explain=False)
    leant = recommender.recommend(history, 60, explain=False, leaning=Leaning(liked=(trait,)))
    place = {item: number for number, item in enumerate(catalog.item_ids)}
    mean = [np.mean([one.rank for one in slate.items if has[place[one.id]]]) for slate in (plain, leant)]
    assert mean[1] < mean[0]
    assert {one.id for one in plain.items} == {one.id for one in leant.items} or len(catalog) > 63
    assert plain.id != leant.id
    cold = recommender.recommend([], 5, explain=False, leaning=Leaning(liked=(trait,)))
    assert sum(has[place[one.id]] for one in cold.items) >= 1


def test_later_words_revise_leanings() -> None:
    horror, war = (Rule(field="genres", op="=", value=value) for value in ("Horror", "War"))
    whole = Conversation.of([Request(liked_traits=(horror, war), moods=("tense",), seen=("a",))])
    assert whole.excluded == ("a",)
    cold = whole.revised(Request(disliked_traits=(horror,), unwanted_moods=("tense",)))
    assert (cold.liked_traits, cold.disliked_traits, cold.moods) == ((war,), (horror,), ())
    ruled = whole.revised(Request(rules=(Rule(field="genres", op="not in", value=("War",)),)))
    assert ruled.liked_traits == (horror,)
    assert ruled.revised(Request(withdrawn=(war, horror))).rules == ()
    assert ruled.revised(Request(withdrawn=(war, horror))).liked_traits == ()
    assert not whole.revised(Request(afresh=True)).leaning


class Script:
    """Understands what it is told to."""

    def __init__(self, *requests: Request) -> None:
        self.requests = list(requests)

    def __call__(self, message: str, slate: object = ()) -> Request:
        return self.requests.pop(0)


def test_a_talk_asks_once_recommends_cites_and_says_when_nothing_fits(tiny: Tiny) -> None:
    recommender = Recommender.open(tiny.bundle)
    catalog = recommender.catalog
    title = catalog.titles[0]
    talk = Talk(recommender, reader=Script(
        Request(talk=True), Request(), Request(liked=(catalog.item_ids[0],), count=3, moods=("tense",)),
        Request(others=True),
        Request(rules=(Rule(field="year", op=">", value=3000),)), Request(talk=True),
    ))  # fmt: skip
    assert "surprise me" in talk.say("hello")
    assert "1. " in talk.say("no idea")  # asked once, not twice
    said = talk.say(f"I liked {title}")
    assert f"like {title}" in said
    assert "mood “tense”" in said
    assert "3. " in said
    first = talk.slate
    talk.say("others")
    assert not set(first) & set(talk.slate)
    assert "Without year above 3000" in talk.say("from the far future")
    assert talk.say("thanks").startswith("You are welcome")


def test_a_mention_finder_of_a_changed_catalog_keeps_the_voice(taught: Bundle) -> None:
    reader = Reader.open(taught)
    assert reader is not None
    other = reader.of(taught.catalog.select(np.arange(10)))
    assert other.voice is reader.voice
    assert isinstance(other.mentions, Mentions)
    assert reader.of(taught.catalog) is reader


def test_the_program_teaches_a_bundle_in_place(tiny: Tiny, tmp_path: Path) -> None:
    place = tmp_path / "bundle"
    shutil.copytree(tiny.bundle, place)
    program = ROOT / "training" / "chat.py"
    words = [
        str(program),
        "--bundle",
        str(place),
        "--tested",
        "4",
        "examples=100",
        "words=500",
        "doubted=0",
        "optimiser.epochs=0.2",
    ]
    with mock.patch.object(sys, "argv", words):
        runpy.run_path(str(program), run_name="__main__")
    done = Bundle.open(place)
    assert done.manifest.chat == "full"
    assert {"chat parse templated en", "chat parse held out zh"} <= done.manifest.metrics.keys()
    assert Bundle.open(tiny.bundle).manifest.metrics.items() <= done.manifest.metrics.items()

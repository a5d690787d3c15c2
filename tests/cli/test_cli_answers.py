"""recommend, explain and evaluate on a tiny bundle, and what they say to bad input."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from genrec.bundle import Bundle
from genrec.preparing import load
from tests.helpers.running import Done, Tiny

Command = Callable[..., Done]


@pytest.fixture
def titles(tiny: Tiny) -> list[str]:
    return [title for title in Bundle.open(tiny.bundle).catalog.titles if ";" not in title]


def test_recommend_shows_titles_and_reasons(tiny: Tiny, titles: list[str], genrec_command: Command) -> None:
    done = genrec_command("recommend", "--bundle", tiny.bundle, "--history", "; ".join(titles[:3]), "-k", "4")
    assert done.code == 0, done.err
    assert f"after {titles[0]}" in done.out
    assert "ecommended" in done.out
    assert "why" in done.out


def test_recommend_as_json_is_the_same_twice(tiny: Tiny, titles: list[str], genrec_command: Command) -> None:
    words = ("recommend", "--bundle", tiny.bundle, "--history", f"{titles[0]};{titles[5]}", "-k", "5", "--json")
    first, second = (json.loads(genrec_command(*words).out) for _ in range(2))
    assert first == second
    shown = [item["title"] for item in first["items"]]
    assert len(shown) == 5
    assert not {titles[0], titles[5]} & set(shown)
    assert all(item["explanation"] for item in first["items"])
    assert (first["degraded"], first["window"]) == (False, {"shown": 2, "left_out": 0})


def test_titles_may_be_misspelt_or_ids(tiny: Tiny, titles: list[str], genrec_command: Command) -> None:
    catalog = Bundle.open(tiny.bundle).catalog
    wanted = max(titles, key=len)
    words = ("recommend", "--bundle", tiny.bundle, "-k", "2", "--no-explain", "--json", "--history")
    typed = genrec_command(*words, wanted.lower()[:-1])
    by_id = genrec_command(*words, catalog.item_ids[catalog.titles.index(wanted)])
    assert json.loads(typed.out) == json.loads(by_id.out)
    assert all(item["explanation"] is None for item in json.loads(by_id.out)["items"])


def test_reasons_in_the_language_asked(tiny: Tiny, titles: list[str], genrec_command: Command) -> None:
    """The tiny bundle gives them in Chinese, too."""
    said = ("--bundle", tiny.bundle, "--history", titles[0], "--language")
    for command, *more in (("recommend", "-k", "2"), ("explain", "--item", titles[9])):
        english, chinese = (genrec_command(command, *said, one, *more, "--json").out for one in ("en", "zh"))
        assert english.isascii() or "。" not in english
        assert "。" in chinese
    refused = genrec_command("recommend", *said, "fr")
    assert (refused.code, refused.out) == (2, "")
    assert "does not speak" in refused.err
    assert "reasons_in" in refused.err


def test_what_is_excluded_is_not_shown(tiny: Tiny, titles: list[str], genrec_command: Command) -> None:
    words = ("recommend", "--bundle", tiny.bundle, "--history", titles[0], "-k", "3", "--no-explain", "--json")
    first = [item["title"] for item in json.loads(genrec_command(*words).out)["items"]]
    later = [item["title"] for item in json.loads(genrec_command(*words, "--exclude", first[0]).out)["items"]]
    assert first[0] not in later


@pytest.mark.parametrize("history", [[], ["--history", ""], ["--history", " ; "]])
def test_an_empty_history_gives_popular_items_and_says_so(
    history: list[str], tiny: Tiny, genrec_command: Command
) -> None:
    done = genrec_command("recommend", "--bundle", tiny.bundle, "-k", "3", "--json", *history)
    slate = json.loads(done.out)
    counts = load(tiny.data).interactions.table["item_id"].value_counts().sort("count", descending=True)
    assert slate["degraded"]
    assert "no history" in slate["note"]
    assert slate["items"][0]["id"] in counts["item_id"][:8].to_list()
    assert "most people chose" in genrec_command("recommend", "--bundle", tiny.bundle, *history).out.replace("\n", " ")


def test_a_user_of_the_data(tiny: Tiny, genrec_command: Command) -> None:
    user = load(tiny.data).interactions.users[0]
    done = genrec_command(
        "recommend", "--bundle", tiny.bundle, "--data", tiny.data, "--user", user, "--json", "-k", "2"
    )
    slate = json.loads(done.out)
    assert (slate["degraded"], slate["note"]) == (False, "")


def test_an_unknown_user_gets_popular_items_and_a_note(tiny: Tiny, genrec_command: Command) -> None:
    done = genrec_command("recommend", "--bundle", tiny.bundle, "--data", tiny.data, "--user", "nobody", "--json")
    slate = json.loads(done.out)
    assert (done.code, slate["degraded"]) == (0, True)
    assert "user nobody is not in the data" in slate["note"]


def test_a_history_longer_than_the_window(tiny: Tiny, titles: list[str], genrec_command: Command) -> None:
    done = genrec_command("recommend", "--bundle", tiny.bundle, "--history", ";".join(titles[:60]), "--json", "-k", "2")
    assert done.code == 0, done.err
    assert json.loads(done.out)["window"] == {"shown": 12, "left_out": 48}


def test_nothing_is_left_when_all_was_seen(tiny: Tiny, genrec_command: Command) -> None:
    ids = Bundle.open(tiny.bundle).catalog.item_ids
    done = genrec_command("recommend", "--bundle", tiny.bundle, "--history", ";".join(ids), "--json", "-k", "2")
    assert (done.code, json.loads(done.out)["items"]) == (0, []), done.err


def test_an_unknown_title_names_the_nearest(tiny: Tiny, genrec_command: Command) -> None:
    done = genrec_command("recommend", "--bundle", tiny.bundle, "--history", "Qwxyzzy Plugh 9000")
    assert (done.code, done.out) == (2, "")
    assert "UnknownItem" in done.err
    assert "nearest" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--user", "ann"], "--user needs --data"),
        (["-k", "0"], "greater than or equal to 1"),
        (["--user", "ann", "--data", "nowhere"], "not a prepared folder"),
    ],
)
def test_wrong_options_exit_with_2(words: list[str], said: str, tiny: Tiny, genrec_command: Command) -> None:
    done = genrec_command("recommend", "--bundle", tiny.bundle, *words)
    assert (done.code, said in done.err) == (2, True), done.err


def test_no_bundle_a_corrupt_and_a_newer_one(tiny: Tiny, tmp_path: Path, genrec_command: Command) -> None:
    assert "BundleError" in genrec_command("recommend", "--bundle", tmp_path, "--history", "x").err
    broken = Path(shutil.copytree(tiny.bundle, tmp_path / "broken"))
    weights = broken / "model" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(bytes(content))
    done = genrec_command("recommend", "--bundle", broken, "--history", "x")
    assert (done.code, "CorruptBundle" in done.err, "model.safetensors" in done.err) == (2, True, True)
    manifest = json.loads((broken / "manifest.json").read_text(encoding="utf-8"))
    (broken / "manifest.json").write_text(
        json.dumps(manifest | {"format": 99, "written_by": "7.1.0"}), encoding="utf-8"
    )
    done = genrec_command("recommend", "--bundle", broken, "--history", "x")
    assert (done.code, "NewerBundle" in done.err, "7.1.0" in done.err) == (2, True, True)


def test_explain_names_what_moved_it(tiny: Tiny, titles: list[str], genrec_command: Command) -> None:
    words = ("explain", "--bundle", tiny.bundle, "--history", ";".join(titles[:4]), "--item", titles[9])
    assert titles[9] in genrec_command(*words).out
    told = json.loads(genrec_command(*words, "--json").out)
    assert told["title"] == titles[9]
    assert {one["title"] for one in told["moved_by"]} <= set(titles[:4])


def test_explanations_have_a_length(tiny: Tiny, titles: list[str], genrec_command: Command) -> None:
    words = ("explain", "--bundle", tiny.bundle, "--history", ";".join(titles[:4]), "--item", titles[9], "--json")
    short, long = (json.loads(genrec_command(*words, "--length", length).out) for length in ("short", "long"))
    assert [one["kind"] for one in short["statements"]] == ["short"]
    assert long["statements"][0]["kind"] == "reason"
    assert long["statements"][0]["evidence"]
    assert "Invalid value" in genrec_command(*words, "--length", "endless").err


def test_explain_needs_a_history(tiny: Tiny, titles: list[str], genrec_command: Command) -> None:
    done = genrec_command("explain", "--bundle", tiny.bundle, "--item", titles[0])
    assert (done.code, "--history" in done.err) == (2, True)


def test_evaluate_puts_the_bundle_beside_baselines(tiny: Tiny, tmp_path: Path, genrec_command: Command) -> None:
    out = tmp_path / "results.json"
    done = genrec_command(
        "evaluate",
        "--bundle",
        tiny.bundle,
        "--data",
        tiny.data,
        "--sasrec-seconds",
        "1",
        "--json",
        out,
        "--plots",
        tmp_path / "plots",
    )
    assert done.code == 0, done.err
    found = json.loads(out.read_text(encoding="utf-8"))
    systems = {one["system"] for one in found["results"]}
    assert systems == {
        "popularity", "recent popularity", "item-kNN", "EASE", "SASRec", "genrec, priors alone",
        "genrec, generative alone", "genrec",
    }  # fmt: skip
    assert len(found["results"]) == 2 * len(systems)  # both masking variants
    assert found["notes"] == []
    assert "popularity" in found["differences"]["genrec, generative alone"]
    assert "± 95 %" in done.out
    assert {path.name for path in (tmp_path / "plots").iterdir()} >= {"systems.svg", "latency.svg", "trie.svg"}


def test_evaluating_on_other_data_is_noted(tiny: Tiny, tmp_path: Path, genrec_command: Command) -> None:
    table = load(tiny.data).interactions.table
    table[:-30].write_parquet(tmp_path / "log.parquet")
    assert genrec_command("prepare", tmp_path / "log.parquet", tmp_path / "data").code == 0
    words = ("--sasrec-seconds", "0", "--cases", "5", "--json", tmp_path / "r.json")
    done = genrec_command("evaluate", "--bundle", tiny.bundle, "--data", tmp_path / "data", *words)
    assert done.code == 0, done.err
    assert "trained on other events" in json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["notes"][0]

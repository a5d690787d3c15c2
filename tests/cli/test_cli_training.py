"""train: stopped and resumed, taught settings, small catalogs; adapters load with plain peft."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM

from genrec.bundle import Bundle
from genrec.sharing import push_bundle
from tests.helpers.running import TINY, Done, Tiny, trained_here

Command = Callable[..., Done]


def history_of(checkpoint: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((checkpoint / "trainer_state.json").read_text("utf-8"))["log_history"]
    return found


def test_training_that_was_stopped_goes_on_from_its_checkpoint(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, genrec_command: Command
) -> None:
    from genrec.tuning.trainer import Deadline

    def stop(self: Deadline, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 25:
            raise KeyboardInterrupt

    out, more = tmp_path / "bundle", ("optimiser.max_seconds=600", "optimiser.evaluations=6", "optimiser.patience=9")
    with monkeypatch.context() as patched:
        patched.setattr(Deadline, "on_step_end", stop)
        with pytest.raises(SystemExit) as end:
            trained_here(tiny.data, out, *more)
    assert end.value.code == 130
    assert not out.exists()
    run = tmp_path / "bundle-run"
    newest = max(run.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    before = history_of(newest)

    words = ("train", "--data", tiny.data, "--out", out, "--resume", "--quiet", *TINY, *more)
    refused = genrec_command(*words, "window=3")
    assert refused.code == 2
    assert "window" in refused.err

    done = genrec_command(*words)
    assert done.code == 0, done.err
    assert "next: genrec recommend" in done.out
    Bundle.open(out)
    after = history_of(max(run.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2])))
    assert after[: len(before)] == before
    assert len(after) > len(before)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["optimiser.epoch=2"], r"optimiser\.epoch: no such key"),
        (["window=1"], "window"),
        (["split.valid=2"], "split"),
    ],
)
def test_a_wrong_setting_is_one_panel(
    words: list[str], said: str, tiny_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        trained_here(tiny_data, tmp_path / "bundle", *words)
    assert end.value.code == 2
    shown = capfd.readouterr().err
    assert re.search(said, shown)
    assert shown.count("─ error") == 1
    assert not (tmp_path / "bundle").exists()


def test_the_panel_of_the_program_is_the_command_s(tmp_path: Path, genrec_command: Command) -> None:
    (tmp_path / "diary.txt").write_text("mine", encoding="utf-8")
    done = genrec_command("train", "--data", tmp_path, "--out", tmp_path / "bundle")
    assert (done.code, "genrec prepare" in done.err) == (2, True)
    assert done.err.count("─ error") == 1


def test_a_folder_of_something_else_is_refused_before_training(
    tiny_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "diary.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(SystemExit):
        trained_here(tiny_data, tmp_path)
    assert "something else" in capfd.readouterr().err


def test_a_catalog_of_one_item(tmp_path: Path, genrec_command: Command) -> None:
    rows = [f"u{user},only,{100 * user + time}" for user in range(30) for time in range(0, 60, 10)]
    log = tmp_path / "log.csv"
    log.write_text("\n".join(["user_id,item_id,timestamp", *rows]), encoding="utf-8")
    assert genrec_command("prepare", log, tmp_path / "data").code == 0
    settings = ("split.kind=leave_last_out", "optimiser.epochs=1", "mixture.explain=0")
    trained_here(tmp_path / "data", tmp_path / "bundle", *settings)
    words = ("recommend", "--bundle", tmp_path / "bundle", "--json")
    popular = genrec_command(*words)
    assert [item["id"] for item in json.loads(popular.out)["items"]] == ["only"]
    done = genrec_command(*words, "--history", "only")
    assert (done.code, json.loads(done.out)["items"]) == (0, []), done.err
    words = ("--sasrec-seconds", "1", "--json", tmp_path / "results.json")
    done = genrec_command("evaluate", "--bundle", tmp_path / "bundle", "--data", tmp_path / "data", *words)
    assert done.code == 0, done.err


# peft 0.21 asks transformers by a name that is on its way out.
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
def test_a_pushed_adapter_loads_with_plain_peft(tiny: Tiny, tmp_path: Path) -> None:
    from peft import PeftModel

    base = f"base={tiny.bundle / 'model'}"
    trained_here(tiny.data, tmp_path / "bundle", base, "adapter=lora", "lora.rank=2", "optimiser.epochs=1")
    published = Path(push_bundle(tmp_path / "bundle", str(tmp_path / "published")))
    model = AutoModelForCausalLM.from_pretrained(published / "model")
    assert PeftModel.from_pretrained(model, published / "adapter").active_adapter == "default"

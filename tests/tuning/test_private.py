"""What one user can move, and what it is said to cost: clipping by user, ε by the accountant, a bundle that says so."""

import filecmp
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from opacus import PrivacyEngine
from opacus.accountants import RDPAccountant
from peft import PeftModel
from torch.utils.data import DataLoader

from genrec.bundle import Bundle, Privacy
from genrec.errors import ConfigError
from genrec.model.adapters import LoraSettings, with_lora
from genrec.model.base import ScratchConfig, scratch
from genrec.ragged import Ragged
from genrec.recommender import Recommender
from genrec.settings import load_settings
from genrec.tuning.private import UserRows, clipped, learn
from genrec.tuning.settings import PrivateSettings
from tests.helpers.running import Tiny, program_here

pytestmark = [
    pytest.mark.filterwarnings("ignore:Secure RNG turned off:UserWarning"),  # said in the card
    pytest.mark.filterwarnings("ignore:Full backward hook is firing:UserWarning"),  # opacus' hooks on the first layer
    pytest.mark.filterwarnings("ignore:Optimal order is the:UserWarning"),  # of the accountant, at odd ε
]
ITEMS, CLIP = 28, 0.01
ASKING = SimpleNamespace(head=[2, 3], semantic=np.arange(ITEMS)[:, None] + 4, window=3)
HISTORIES = [[0, 1, 2, 3], [4, 5], [6, 7, 8, 9], [15], [16, 17, 18]]


def model() -> PeftModel:
    shape = ScratchConfig(hidden=16, layers=1, heads=2, feed_forward=16, context=64)
    found = with_lora(scratch(shape, ITEMS + 4, pad_id=0, end_id=1), LoraSettings(rank=2, dropout=0.0), [])
    for name, weight in found.named_parameters():
        if "lora_B" in name:  # which begins at 0, and would keep what lora_A learns there
            weight.data += 0.1
    return found


def rows(histories: list[list[int]]) -> UserRows:
    return UserRows.of(Ragged.from_lists(histories), ASKING, 0)  # type: ignore[arg-type]


def moved(histories: list[list[int]], clip: float = CLIP) -> torch.Tensor:
    """Everything that the users of a step add up to before noise, as one vector."""
    users, adapted = rows(histories), model().train()
    learning = [weight for weight in adapted.parameters() if weight.requires_grad]
    hooked, steps, _ = PrivacyEngine(accountant="rdp").make_private(
        module=adapted, optimizer=torch.optim.SGD(learning, lr=1.0), data_loader=DataLoader(users, len(users)),
        noise_multiplier=0.0, max_grad_norm=clip,
    )  # fmt: skip
    inputs, labels = map(torch.stack, zip(*(users[user] for user in range(len(users))), strict=True))
    clipped(hooked, learning, inputs, labels)
    steps.pre_step()
    return torch.cat([vars(weight)["summed_grad"].flatten() for weight in learning])


def test_nobody_moves_a_step_further_than_the_clip() -> None:
    whole = moved(HISTORIES)
    for user in range(len(HISTORIES)):
        alone = moved([HISTORIES[user]])
        assert float(moved([HISTORIES[user]], clip=1e6).norm()) > 2 * CLIP  # it would, if it were let
        assert float(alone.norm()) == pytest.approx(CLIP, rel=1e-3)
        without = moved([*HISTORIES[:user], *HISTORIES[user + 1 :]])
        torch.testing.assert_close(whole - without, alone, atol=1e-6, rtol=1e-3)


def test_who_did_more_is_still_one_row() -> None:
    users = rows([[0], list(range(ITEMS)) * 3, []])
    assert len(users) == 2
    pieces = {tuple(users[1][0].tolist()) for _ in range(200)}
    assert len(pieces) == ITEMS // (ASKING.window + 1)  # the second and third time over they are the same
    assert {len(piece) for piece in pieces} == {2 + ASKING.window + 1}


def test_the_price_is_what_the_accountant_says() -> None:
    users, settings = rows(HISTORIES * 8), PrivateSettings(epsilon=3.0, users=10, epochs=5)
    privacy = learn(model(), users, settings)
    assert privacy is not None
    assert (privacy.users, privacy.steps, privacy.rate, privacy.delta) == (40, 20, 0.25, 0.1 / 40)
    accountant = RDPAccountant()
    for _ in range(privacy.steps):
        accountant.step(noise_multiplier=privacy.noise, sample_rate=privacy.rate)
    assert privacy.epsilon == pytest.approx(accountant.get_epsilon(privacy.delta))
    assert 2.9 < privacy.epsilon <= 3.0


def test_less_may_be_spent_for_more_noise() -> None:
    spent = [learn(model(), rows(HISTORIES), PrivateSettings(epsilon=one, epochs=2, users=2)) for one in (1.0, 8.0)]
    assert spent[0] is not None
    assert spent[1] is not None
    assert spent[0].noise > 2 * spent[1].noise


def test_steps_that_draw_nobody_are_taken() -> None:
    privacy = learn(model(), rows(HISTORIES[:2]), PrivateSettings(users=1, epochs=20))
    assert privacy is not None
    assert privacy.steps == 40  # of which ten, on average, draw nobody


def test_noise_is_not_to_be_repeated() -> None:
    found = []
    for _ in range(2):
        adapted = model()
        learn(adapted, rows(HISTORIES), PrivateSettings(users=5, epochs=1))
        found.append(torch.cat([weight.flatten() for weight in adapted.parameters() if weight.requires_grad]))
    assert not torch.equal(*found)


def test_plain_learning_can_be_repeated() -> None:
    found = []
    for _ in range(2):
        adapted = model()
        users = rows([list(range(ITEMS)), [3, 4], [5]])
        learn(adapted, users, PrivateSettings(epsilon=None, users=2, epochs=2))
        found.append(torch.cat([weight.flatten() for weight in adapted.parameters() if weight.requires_grad]))
    assert torch.equal(*found)


def test_plain_learning_learns() -> None:
    adapted = model()
    settings = PrivateSettings(epsilon=None, users=5, epochs=60, learning_rate=0.05)
    before: list[float] = []
    after: list[float] = []
    for found in (before, after):
        with torch.no_grad():
            logits = adapted(torch.tensor([[2, 3, 4, 5, 6]])).logits[0, 1:-1].log_softmax(1)
            found.append(float(logits.gather(1, torch.tensor([[4], [5], [6]])).mean()))
        if found is before:
            assert learn(adapted, rows([[0, 1, 2, 3]] * 5), settings) is None
    assert after[0] > before[0] + 0.1


def test_the_bundle_says_what_it_cost(tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "private"
    words = ["--bundle", str(tiny.bundle), "--data", str(tiny.data), "--out", str(out)]
    program_here([*words, "epsilon=5", "epochs=2", "users=20", "lora.rank=2"], "private.py")
    parent, child = Bundle.open(tiny.bundle), Bundle.open(out)
    privacy = child.manifest.privacy
    assert isinstance(privacy, Privacy)
    assert 4.5 < privacy.epsilon <= 5
    assert f"ε = {privacy.epsilon:.2f}" in (out / "README.md").read_text(encoding="utf-8")
    assert (child.manifest.metrics, child.manifest.data_hash) == ({}, parent.manifest.data_hash)
    for name in ("priors", "index", "prompts"):
        same = filecmp.dircmp(tiny.bundle / name, out / name)
        assert not same.left_only + same.right_only + same.diff_files
    assert json.loads((out / "adapter" / "adapter_config.json").read_text())["r"] == 2
    assert len(Recommender.open(child, width=8).recommend(child.catalog.item_ids[:3], 5).items) == 5
    with pytest.raises((SystemExit, ConfigError)):
        program_here(["--bundle", str(out), *words[2:4], "--out", str(tmp_path / "again")], "private.py")
    assert not (tmp_path / "again").exists()


def test_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="epsilon"):
        load_settings(PrivateSettings, None, ["epsilon=-1"])

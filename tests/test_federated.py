"""Federated averaging: a place's worker by its lines, the bundle of an average, and flower's processes where it is."""

import io
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from genrec.bundle import Bundle
from genrec.preparing import load, save
from genrec.recommender import Recommender
from tests.helpers.running import ROOT, Tiny, program_here

FLOWER = ROOT / ".venv-federated" / "bin" / "python"
SETTINGS = ("epochs=1", "users=20", "lora.rank=2", "learning_rate=0.01")
Arrays = dict[str, np.ndarray]


@pytest.fixture
def places(tiny: Tiny, tmp_path: Path) -> list[Path]:
    """The tiny world's viewers in two parts, a third and two."""
    data = load(tiny.data)
    users = data.interactions.table["user_id"].unique().sort()
    found = []
    for name, part in (("here", users[: len(users) // 3]), ("there", users[len(users) // 3 :])):
        table = data.interactions.table.join(part.to_frame(), on="user_id", how="semi")
        save(type(data)(type(data.interactions)(table), data.catalog, data.report), tmp_path / name)
        found.append(tmp_path / name)
    return found


def asked(tiny: Tiny, place: Path, *lines: str) -> None:
    with mock.patch.object(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines))):
        program_here(["--bundle", str(tiny.bundle), "--data", str(place), *SETTINGS], "federated_worker.py")


def test_places_begin_alike_learn_apart_and_are_averaged(
    tiny: Tiny, places: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learnt: list[Arrays] = []
    first, users = [], []
    for number, place in enumerate(places):
        begun, after = tmp_path / f"begun-{number}", tmp_path / f"after-{number}"
        asked(tiny, place, f"begin\t{begun}", f"learn\t{begun}\t{after}")
        counts = capsys.readouterr().out.split()
        assert counts[0] == counts[1]
        users.append(int(counts[1]))
        first.append(load_file(begun))
        learnt.append(load_file(after))
    names = sorted(first[0])
    assert users[0] < users[1]
    assert all("lora" in name for name in names)  # nothing but the adapter leaves
    for name in names:
        np.testing.assert_array_equal(first[0][name], first[1][name])
    assert any(np.abs(learnt[0][name] - learnt[1][name]).max() > 1e-4 for name in names)
    mean = {name: (learnt[0][name] + learnt[1][name]) / 2 for name in names}
    save_file({f"{place:05}": mean[name] for place, name in enumerate(names)}, tmp_path / "averaged")
    out = tmp_path / "out"
    program_here(
        ["--bundle", str(tiny.bundle), "--averaged", str(tmp_path / "averaged"), "--out", str(out), *SETTINGS],
        "federated.py",
    )
    written = load_file(out / "adapter" / "adapter_model.safetensors")
    for name in names:
        np.testing.assert_allclose(written[name], mean[name], atol=1e-7)
    child = Bundle.open(out)
    assert (child.manifest.adapter, child.manifest.privacy) == ("lora", None)
    assert len(Recommender.open(child, width=8).recommend(child.catalog.item_ids[:3], 5).items) == 5


@pytest.mark.skipif(not FLOWER.is_file(), reason="flower is not installed: make federated")
def test_flower_averages_two_places(
    tiny: Tiny, places: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    data = [word for place in places for word in ("--data", str(place))]
    program_here(["--bundle", str(tiny.bundle), *data, "--out", str(out), "--rounds", "1", *SETTINGS], "federated.py")
    learnt, users = [], []
    for number, place in enumerate(places):
        begun, after = tmp_path / f"begun-{number}", tmp_path / f"after-{number}"
        capsys.readouterr()
        asked(tiny, place, f"begin\t{begun}", f"learn\t{begun}\t{after}")
        learnt.append(load_file(after))
        users.append(int(capsys.readouterr().out.split()[-1]))
    written = load_file(out / "adapter" / "adapter_model.safetensors")
    for name, weight in written.items():
        mean = np.average([one[name] for one in learnt], axis=0, weights=users)
        np.testing.assert_allclose(weight, mean, atol=1e-6)

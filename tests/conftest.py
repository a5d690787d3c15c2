"""What every test stands on: no network, one thread, quiet hypothesis, and `shared` for data that may be absent."""

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
from hypothesis import HealthCheck, settings

from tests.helpers import postgres as server
from tests.helpers.running import Done, Tiny, command, prepared_world, trained

ROOT = Path(__file__).resolve().parents[1]

# No deadline: the machine is shared. Derandomized: a failing example is found by everyone or by no one.
settings.register_profile(
    "genrec", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("genrec")


def _cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _browser() -> bool:
    return shutil.which("chromium") is not None and importlib.util.find_spec("playwright") is not None


NEEDS: dict[str, tuple[Callable[[], bool], str]] = {
    "gpu": (_cuda, "no CUDA device"),
    "vllm": (lambda: importlib.util.find_spec("vllm") is not None, "vLLM is not installed: make setup-vllm"),
    "browser": (_browser, "no Chromium on the path, or no playwright: make chromium"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for marker, (present, reason) in NEEDS.items():
        marked = [item for item in items if item.get_closest_marker(marker)]
        if marked and not present():
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """`shared("data/ml-100k")`: the path below ../shared, or a skipped test that says what is absent."""

    def find(name: str) -> Path:
        path = ROOT / ".." / "shared" / name
        if not path.exists():
            pytest.skip(f"../shared/{name} is absent")
        return path

    return find


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared data: 60 simulated viewers of 80 films."""
    return prepared_world(tmp_path_factory.mktemp("tiny") / "data")


@pytest.fixture(scope="session")
def tiny(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """The tiny data and a bundle that training/sft.py made of it, once a session. Tests copy what they change.

    Its model learnt next to nothing and is rightly left out of its ranking; it joins it here, for tests to see both.
    """
    from genrec.bundle import Bundle

    bundle = Bundle.open(trained(tiny_data, tmp_path_factory.mktemp("bundles") / "tiny"))
    bundle.extended(bundle.folder, lambda new: None, model_ranks=True)
    return Tiny(tiny_data, bundle.folder)


@pytest.fixture
def genrec_command(capfd: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """`genrec_command("validate", path)`: the command line in this process; exit code, stdout and stderr."""
    return lambda *words: command(capfd, *words)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], str]]:
    """`postgres()`: the URL of a new, empty database of a server that runs for this session; skips where none is."""
    where = server.binaries()
    if where is None:
        pytest.skip(server.ABSENT)
    with server.running(where) as running:
        yield running.database

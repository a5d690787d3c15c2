"""A real pretrained model, small enough for every test: stories260k as a Hugging Face folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.llama2c import convert


@pytest.fixture(scope="session")
def stories(shared: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = shared("models/stories260k")
    return convert(source / "stories260K.bin", source / "tok512.bin", tmp_path_factory.mktemp("stories"))

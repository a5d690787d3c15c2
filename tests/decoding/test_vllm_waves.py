"""Requests of one wave reach vLLM's scheduler together, on its own base class in place of a running engine."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.vllm


class Plain:
    """What a scheduler does with requests, and what was done."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[set[str] | None] = []

    def add_request(self, request: Any) -> None:
        self.begun.append(request.request_id)

    def finish_requests(self, ids: set[str] | None, status: str) -> str:
        self.ended.append(ids)
        return status


@pytest.fixture
def scheduler() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # vLLM's own, on import
        from genrec.decoding.vllm import _Waves

    return type("Waiting", (_Waves, Plain), {})()


def request(name: str, wave: tuple[int, int] | None = None) -> SimpleNamespace:
    extra = None if wave is None else {"genrec_wave": wave}
    return SimpleNamespace(request_id=name, sampling_params=SimpleNamespace(extra_args=extra))


def test_a_wave_begins_when_its_last_request_is_there(scheduler: Any) -> None:
    for name, wave in (("a", (1, 3)), ("x", (2, 2)), ("b", (1, 3))):
        scheduler.add_request(request(name, wave))
    assert scheduler.begun == []
    scheduler.add_request(request("c", (1, 3)))
    assert scheduler.begun == ["a", "b", "c"]
    scheduler.add_request(request("y", (2, 2)))
    assert scheduler.begun == ["a", "b", "c", "x", "y"]


def test_others_wait_for_nobody(scheduler: Any) -> None:
    scheduler.add_request(request("a", (1, 2)))
    scheduler.add_request(request("text"))
    scheduler.add_request(request("another"))
    assert scheduler.begun == ["text", "another"]


@pytest.mark.parametrize("ended", ["b", ["b"], {"a", "z"}, None])
def test_a_wave_of_which_one_is_taken_back_waits_no_longer(scheduler: Any, ended: Any) -> None:
    scheduler.add_request(request("a", (1, 3)))
    scheduler.add_request(request("b", (1, 3)))
    assert scheduler.finish_requests(ended, "aborted") == "aborted"
    assert scheduler.begun == ["a", "b"]
    assert scheduler.ended == [None if ended is None else {ended} if isinstance(ended, str) else set(ended)]


def test_a_wave_waits_on_where_others_are_taken_back(scheduler: Any) -> None:
    scheduler.add_request(request("a", (1, 2)))
    scheduler.finish_requests("text", "aborted")
    assert scheduler.begun == []

"""Both logits-processor adapters on vLLM's own interface classes and made tensors: the same cases, the same rows.

V2 runs on GPUs only; here its context and its loader are vLLM's, and the tensors lie on the CPU.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from genrec.decoding.asks import KEY, Want, pack
from genrec.decoding.masking import constrain

pytestmark = pytest.mark.vllm
SIZE = 30
Apply = Callable[[torch.Tensor], torch.Tensor]
CASES: dict[str, list[Want | None]] = {
    "beams": [Want(np.array([3, 9, 4]), 5), Want(np.array([1]), 5)],
    "pruned": [Want(np.arange(20), 4), Want(np.arange(20), 4, np.linspace(0, 9, 20, dtype=np.float32))],
    "others": [None, Want(np.array([7, 8]), 2), None],
    "text": [Want(None, 0, columns=((0, 10), (20, SIZE))), Want(np.array([2]), 1)],
    "adapters": [
        Want(np.array([25, 27]), 2, columns=((0, 10), (24, SIZE))),
        Want(np.array([11]), 1, columns=((0, 24),)),
    ],
    "free": [Want(None, 6)],
}


@pytest.fixture(scope="module")
def vllm() -> SimpleNamespace:
    """vLLM's classes; importing them warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import vllm.v1.sample.logits_processor as v1
        import vllm.v1.worker.gpu.sample.logits_processor as v2
        from vllm import SamplingParams

        from genrec.decoding.vllm import TrieProcessor, TrieProcessorV2
    return SimpleNamespace(
        SamplingParams=SamplingParams, BatchUpdate=v1.BatchUpdate, MoveDirectionality=v1.MoveDirectionality,
        validate=v1.validate_logits_processors_parameters, LogitsContext=v2.LogitsContext,
        validator_v2=v2.build_custom_logits_processors_params_validator,
        TrieProcessor=TrieProcessor, TrieProcessorV2=TrieProcessorV2,
    )  # fmt: skip


def params(vllm: SimpleNamespace, want: Want | None) -> Any:
    return vllm.SamplingParams(max_tokens=1, extra_args=None if want is None else {KEY: pack(want)})


def first(vllm: SimpleNamespace, wants: list[Want | None]) -> tuple[Any, Apply]:
    """Model runner V1: rows are places in the persistent batch."""
    processor = vllm.TrieProcessor(None, torch.device("cpu"), False)
    added = [(row, params(vllm, want), [1], []) for row, want in enumerate(wants)]
    processor.update_state(vllm.BatchUpdate(batch_size=len(wants), removed=[], added=added, moved=[]))
    return processor, processor.apply


def second(vllm: SimpleNamespace, wants: list[Want | None]) -> tuple[Any, Apply]:
    """Model runner V2: requests sit in slots, here 5 and counting; rows name them."""
    processor = vllm.TrieProcessorV2(None, None)
    changes = [processor.add_request(5 + row, params(vllm, want)) for row, want in enumerate(wants)]
    assert changes == [want is not None for want in wants]
    processor.apply_staged_writes()
    slots = np.arange(5, 5 + len(wants))
    return processor, lambda logits: processor.apply(logits, context(vllm, slots, slots))


def context(vllm: SimpleNamespace, slots: np.ndarray, rows: np.ndarray) -> Any:
    empty = torch.empty(0)
    return vllm.LogitsContext(
        expanded_idx_mapping=torch.from_numpy(rows), idx_mapping=torch.from_numpy(slots), idx_mapping_np=slots,
        expanded_local_pos=empty, input_ids=empty, pos=empty, seq_lens_upper_bound_np=np.empty(0),
    )  # fmt: skip


def logits(rows: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, SIZE, generator=torch.Generator().manual_seed(seed)) * 3


@pytest.mark.parametrize("runner", [first, second])
@pytest.mark.parametrize("case", CASES)
def test_a_row_is_what_its_request_says(vllm: SimpleNamespace, runner: Any, case: str) -> None:
    wants = CASES[case]
    _, apply = runner(vllm, wants)
    wanted = constrain(logits(len(wants)), {row: want for row, want in enumerate(wants) if want is not None})
    torch.testing.assert_close(apply(logits(len(wants))), wanted)


@pytest.mark.parametrize("runner", [first, second])
def test_without_our_requests_nothing_changes(vllm: SimpleNamespace, runner: Any) -> None:
    _, apply = runner(vllm, [None, None])
    torch.testing.assert_close(apply(logits(2)), logits(2))


def test_v1_follows_requests_that_leave_and_move(vllm: SimpleNamespace) -> None:
    one, two, new = Want(np.array([1]), 1), Want(np.array([2]), 1), Want(np.array([3]), 1)
    processor, apply = first(vllm, [one, None, two])
    move = (2, 0, vllm.MoveDirectionality.UNIDIRECTIONAL)
    processor.update_state(vllm.BatchUpdate(batch_size=2, removed=[0], added=[], moved=[move]))
    torch.testing.assert_close(apply(logits(2)), constrain(logits(2), {0: two}))
    processor.update_state(None)
    swap = (0, 1, vllm.MoveDirectionality.SWAP)
    processor.update_state(
        vllm.BatchUpdate(batch_size=2, removed=[], added=[(1, params(vllm, new), [1], [])], moved=[swap])
    )
    torch.testing.assert_close(apply(logits(2)), constrain(logits(2), {0: new, 1: two}))
    processor.update_state(vllm.BatchUpdate(batch_size=0, removed=[0, 1], added=[], moved=[]))
    torch.testing.assert_close(apply(logits(2)), logits(2))
    assert not processor.is_argmax_invariant()


def test_v2_follows_slots_whatever_the_order_of_rows(vllm: SimpleNamespace) -> None:
    wants = [Want(np.array([1]), 1), None, Want(np.array([2]), 1)]
    processor, _ = second(vllm, wants)
    rows = np.array([7, 5, 6])
    found = processor.apply(logits(3), context(vllm, rows, rows))
    torch.testing.assert_close(found, constrain(logits(3), {0: wants[2], 1: wants[0]}))  # type: ignore[dict-item]
    drafts = np.array([5, 5, 7])  # several rows a request
    found = processor.apply(logits(3), context(vllm, np.array([5, 7]), drafts))
    torch.testing.assert_close(found, constrain(logits(3), {0: wants[0], 1: wants[0], 2: wants[2]}))  # type: ignore[dict-item]


def test_v2_forgets_a_slots_former_tenant(vllm: SimpleNamespace) -> None:
    processor, apply = second(vllm, [Want(np.array([1]), 1)])
    assert not processor.add_request(5, params(vllm, None))
    torch.testing.assert_close(apply(logits(1)), logits(1))


def test_both_load_by_name_and_refuse_garbage_at_the_door(vllm: SimpleNamespace) -> None:
    """A request that is not ours or not whole fails alone, before it reaches a batch."""
    from vllm.exceptions import VLLMValidationError

    v1, v2 = ("genrec.decoding.vllm:TrieProcessor", "genrec.decoding.vllm:TrieProcessorV2")
    checks = [
        lambda one: vllm.validate([v1], one),
        vllm.validator_v2([v2]),
    ]
    for check in checks:
        check(params(vllm, None))
        check(params(vllm, Want(np.array([1]), 1)))
        with pytest.raises(VLLMValidationError, match="packed request"):
            check(vllm.SamplingParams(extra_args={KEY: "no such thing"}))


def test_v2_refuses_the_v1_class_and_the_other_way_round(vllm: SimpleNamespace) -> None:
    """Hence two adapters, and no entry point that would load the wrong one."""
    with pytest.raises(ValueError, match="not a subclass"):
        vllm.validator_v2(["genrec.decoding.vllm:TrieProcessor"])
    with pytest.raises(ValueError, match="must be a subclass"):
        vllm.validate(["genrec.decoding.vllm:TrieProcessorV2"], params(vllm, None))

"""The launcher's files: accelerate reads each, and takes it for what its name says."""

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.utils import DistributedType

from genrec.resources import folder

FILES = sorted((folder("training") / "accelerate").glob("*.yaml"))
KINDS = {
    "ddp": DistributedType.MULTI_GPU, "fsdp": DistributedType.FSDP, "deepspeed": DistributedType.DEEPSPEED,
}  # fmt: skip


def test_there_is_a_file_for_each() -> None:
    assert {path.stem for path in FILES} == set(KINDS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_accelerate_reads_it(path) -> None:
    found = load_config_from_file(str(path))
    assert found.distributed_type == KINDS[path.stem]
    assert (found.num_processes, found.num_machines, found.mixed_precision) == (2, 1, "bf16")
    assert not found.use_cpu
    shaped = {"fsdp": found.fsdp_config, "deepspeed": found.deepspeed_config}
    assert {name for name, settings in shaped.items() if settings} == {path.stem} - {"ddp"}

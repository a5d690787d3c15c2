"""Result files: what a claim is, how it is written, and that missed ones come first."""

import json
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from genrec.benchmarking import ROOT, Claim, claim, line, multiplications_per_second, report, write_results
from genrec.errors import ConfigError

QUICK = claim("toy.ms", 3.0, "ms", "<=", 4, n=5, low=2.5, high=3.5, note="toy")
SLOW = claim("toy.slow", 5.0, "ms", "<=", 4)
GOOD = claim("toy.ndcg", 0.3, "NDCG@10", ">=", 0.3)
ORIENTS = claim("toy.seconds", 99.0, "s", "<=", None)


def test_a_claim_is_met_at_its_target() -> None:
    assert [one.met for one in (QUICK, SLOW, GOOD, ORIENTS)] == [True, False, True, True]


def test_a_claim_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValidationError, match="finite"):
        claim("toy.ms", float("nan"), "ms", "<=", 4)


def test_a_result_says_how_it_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [str(ROOT / "benchmarks" / "toy.py"), "--runs", "3"])
    path = write_results("toy", {"runs": 3}, [QUICK, SLOW], tmp_path / "results")
    found = json.loads(path.read_text(encoding="utf-8"))
    assert list(found) == ["command", "date", "machine", "versions", "config", "claims"]
    assert found["command"] == "python benchmarks/toy.py --runs 3"
    assert found["config"] == {"runs": 3}
    assert {"cores", "cpu", "gpu", "memory_gib"} <= set(found["machine"])
    assert "numpy" in found["versions"]
    assert found["claims"][0] == {
        "id": "toy.ms", "value": 3.0, "unit": "ms", "target": 4.0, "op": "<=",
        "n": 5, "low": 2.5, "high": 3.5, "note": "toy",
    }  # fmt: skip
    assert capsys.readouterr().out.count("MISSED") == 1


def test_the_report_reads_missed_claims_first(tmp_path: Path) -> None:
    write_results("b", {}, [GOOD, SLOW], tmp_path)
    write_results("a", {}, [ORIENTS, QUICK], tmp_path)
    assert report(tmp_path) == [SLOW, ORIENTS, QUICK, GOOD]


def test_no_results_are_an_empty_report(tmp_path: Path) -> None:
    assert report(tmp_path / "absent") == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"claims": [{"id": "x"}]}'])
def test_a_file_that_is_no_result_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.json").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"bad\.json: not a result file.*run its benchmark again"):
        report(tmp_path)


def test_a_line_tells_value_interval_and_target() -> None:
    assert "3 ms [2.5, 3.5]  met: <= 4  (n = 5)" in line(QUICK)
    assert "orients" in line(ORIENTS)


def test_the_committed_results_are_readable() -> None:
    assert all(isinstance(one, Claim) for one in report())


def test_runs_of_some_parts_join_one_file(tmp_path: Path) -> None:
    """What an earlier run measured stays with its command; what is measured again takes its place."""
    write_results("a", {"run": 1}, [QUICK, GOOD], tmp_path)
    write_results("a", {"run": 2}, [SLOW], tmp_path, keep=True)
    again = GOOD.model_copy(update={"value": 9.0})
    path = write_results("a", {"run": 3}, [SLOW, again], tmp_path, keep=True)
    assert sorted(report(tmp_path), key=str) == sorted([QUICK, SLOW, again], key=str)
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["config"] == {"run": 3}
    assert [(run["config"], run["claims"]) for run in found["earlier"]] == [({"run": 1}, [QUICK.id])]


def test_a_matrix_product_is_timed() -> None:
    assert multiplications_per_second(64, 0.01) > 1e6

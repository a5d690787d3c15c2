"""Help, version, doctor and errors: what everybody meets first."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import genrec
from genrec.cli.app import EXIT_CODES
from genrec.errors import GenrecError
from genrec.terminal import BAD, FOUND, STOPPED, ProgramError, guarded
from tests.helpers.running import ROOT, Done

Command = Callable[..., Done]
COMMANDS = (
    "demo", "prepare", "validate", "index", "train", "evaluate", "plot", "recommend", "explain", "copy", "push",
    "doctor", "bench",
)  # fmt: skip


def test_help_names_every_command_and_the_exit_codes(genrec_command: Command) -> None:
    done = genrec_command("--help")
    assert done.code == 0
    assert [name for name in COMMANDS if not re.search(rf"\b{name}\b", done.out)] == []
    assert "Exit codes" in done.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, genrec_command: Command) -> None:
    done = genrec_command(name, "--help")
    assert done.code == 0
    assert "Usage" in done.out


def test_a_shell_completes_commands_and_flags() -> None:
    program = "from genrec.cli.app import application\napplication()(prog_name='genrec')"
    for typed, offered in (("genrec rec", "recommend"), ("genrec evaluate --pl", "--plots")):
        words = {"_GENREC_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **words}
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
        assert done.stdout.split() == [offered], done.stderr


def test_completion_for_every_shell_is_printed() -> None:
    program = "from genrec.cli.app import application\napplication()(prog_name='genrec')"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    for shell in ("bash", "zsh", "fish"):
        done = subprocess.run(
            [sys.executable, "-c", program, "--show-completion", shell],
            capture_output=True, text=True, env=environment,
        )  # fmt: skip
        assert "_GENREC_COMPLETE" in done.stdout, (shell, done.stderr)


def test_the_guide_has_every_exit_code() -> None:
    page = (ROOT / "docs" / "guide" / "terminal.md").read_text(encoding="utf-8")
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", page, flags=re.MULTILINE)}
    assert told == {0, FOUND, BAD, STOPPED} == {int(code) for code in re.findall(r"\b\d+\b", EXIT_CODES)}


def test_version(genrec_command: Command) -> None:
    assert genrec_command("--version").out.strip() == genrec.__version__


def test_an_unknown_command_and_option_exit_with_2(genrec_command: Command) -> None:
    assert genrec_command("recomend").code == 2
    assert genrec_command("doctor", "--jsn").code == 2


@pytest.mark.parametrize("words", [["--help"], ["doctor"], ["validate", "{log}"], ["prepare", "{log}", "{out}"]])
def test_what_needs_no_model_loads_no_torch(words: list[str], tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("user_id,item_id,timestamp\nann,a,1\nbob,b,2\n", encoding="utf-8")
    filled = [word.format(log=log, out=tmp_path / "out") for word in words]
    program = (
        "import sys\nfrom genrec.cli import main\nsys.argv[0] = 'genrec'\ntry: main()\nexcept SystemExit as end: "
        "assert not end.code, end.code\nprint('loaded:', *{'torch', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *filled], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.splitlines()[-1].split() == ["loaded:"]


def test_an_error_is_one_panel_with_its_remedy(genrec_command: Command, tmp_path: Path) -> None:
    done = genrec_command("validate", tmp_path / "absent.csv")
    assert (done.code, done.out) == (2, "")
    assert "error: DataError" in done.err
    assert "remedy" in done.err
    assert "Traceback" not in done.err


def test_the_panel_prints_markup_of_a_value_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end, guarded():
        raise GenrecError("bad [/title]", value="[bold]x[/]", allowed="[a]")
    assert end.value.code == 2
    shown = capsys.readouterr().err
    assert "bad [/title]" in shown
    assert "'[bold]x[/]'" in shown


def test_a_program_that_told_its_error_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    error = ProgramError("ended")
    error.told = True
    with pytest.raises(SystemExit), guarded():
        raise error
    assert capsys.readouterr().err == ""


def test_an_interrupt_exits_with_130() -> None:
    with pytest.raises(SystemExit) as end, guarded():
        raise KeyboardInterrupt
    assert end.value.code == 130


def test_other_exceptions_pass(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), guarded():
        raise ZeroDivisionError


def test_doctor_names_every_part(genrec_command: Command) -> None:
    done = genrec_command("doctor")
    assert done.code == 0
    assert "torch" in done.out
    assert "genrec recommend" in done.out
    found = json.loads(genrec_command("doctor", "--json").out)
    assert set(found["can"]) == {"train", "recommend", "evaluate", "evaluate --plots", "serve"}


def test_bench_report_puts_missed_claims_first(genrec_command: Command, tmp_path: Path) -> None:
    from genrec.benchmarking import claim, write_results

    claims = [claim("good.one", 2, "s", "<=", 3), claim("bad.one", 4, "s", "<=", 3)]
    write_results("program", {}, claims, tmp_path)
    done = genrec_command("bench", "report", "--folder", tmp_path)
    assert done.code == 1
    assert [line.split()[0] for line in done.out.splitlines()] == ["bad.one", "good.one"]
    assert [
        one["met"] for one in json.loads(genrec_command("bench", "report", "--json", "--folder", tmp_path).out)
    ] == [
        False,
        True,
    ]


def test_bench_report_without_results_says_so(genrec_command: Command, tmp_path: Path) -> None:
    done = genrec_command("bench", "report", "--folder", tmp_path)
    assert (done.code, "make bench" in done.out) == (0, True)

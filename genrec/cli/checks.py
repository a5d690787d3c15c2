"""`genrec doctor`: a table of what is there. Knows no model."""

from __future__ import annotations

from rich.table import Table

from genrec.cli.shared import AsJson, console, show_json
from genrec.doctor import checkup


def doctor(json: AsJson = False) -> None:
    """What is installed, what this machine has, and what each missing part would enable."""
    found = checkup()
    if json:
        show_json(found)
        return
    machine, out = found["machine"], console()
    gpus = ", ".join(machine["gpu"]) or "no GPU: small models train on the CPU, large base models want one"
    threads = f", {found['threads']} used (OMP_NUM_THREADS)" if found["threads"] else ""
    out.print(f"genrec {found['genrec']}, Python {machine['python']} at {found['python']}", highlight=False)
    out.print(f"{machine['cores']} cores{threads}: {machine['cpu']}, {machine['memory_gib']} GiB memory, {gpus}")
    out.print(f"{found['free_disk_gib']} GiB free on this disk")
    for name, there in found["shipped"].items():
        if not there:
            out.print(f"[red]the folder {name} is missing: reinstall genrec[/red]")
    out.print(_table(found["parts"]))
    for command, able in found["can"].items():
        out.print(f"genrec {command}: {'[green]ready[/green]' if able else '[red]not possible yet[/red]'}")


def _table(parts: list[dict[str, str]]) -> Table:
    table = Table("part", "version", "enables", "install")
    for part in parts:
        there = part["version"]
        table.add_row(
            part["name"], there or "[yellow]missing[/yellow]", part["enables"],
            "" if there else part["install"].replace("[", "\\["),
        )  # fmt: skip
    return table

"""Text files as blocks of numbered lines, in bounded memory. Knows bytes and encodings, not formats.

Rules: lines end with "\\n" or "\\r\\n"; blank lines are no rows; a byte order mark is dropped; a line that is not
UTF-8 is reported and left out; of a line longer than `LONGEST_LINE` bytes only that much is looked at.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import polars as pl

from genrec.errors import DataError
from genrec.formats.report import Tally
from genrec.progress import bar

BLOCK = 1 << 24  # bytes read at once
LONGEST_LINE = 1 << 26


def open_bytes(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked when the name ends in .gz."""
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def first_lines(path: Path, count: int) -> list[tuple[int, str]]:
    """Number and text of the first lines that are not blank; bad bytes are replaced."""
    found: list[tuple[int, str]] = []
    with _Readable(path), open_bytes(path) as stream:
        for number, raw in enumerate(iter(lambda: stream.readline(LONGEST_LINE), b""), start=1):
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8", errors="replace").rstrip("\r\n")
            found += [(number, text)] if text else []
            if len(found) == count:
                break
    return found


def first_line(path: Path) -> tuple[int, str]:
    """The first line that is not blank, (0, "") when there is none."""
    return next(iter(first_lines(path, 1)), (0, ""))


def encoding_of(path: Path) -> str:
    """Tells "utf-8", when the whole file is that, from "latin-1" (the old MovieLens files)."""
    with _Readable(path), open_bytes(path) as stream:
        try:
            stream.read().decode("utf-8")
        except UnicodeDecodeError:
            return "latin-1"
    return "utf-8"


def blocks(path: Path, tally: Tally, role: str, encoding: str = "utf-8") -> Iterator[pl.DataFrame]:
    """Blocks `line` (Int64, 1-based), `text`. Lines that are not in `encoding` are counted, reported, left out.

    Raises DataError for a file that cannot be opened or unpacked.
    """
    number = 1
    size = path.stat().st_size if path.is_file() else 1
    with _Readable(path), open_bytes(path) as stream, bar(path.name) as at:
        for raw in _whole_lines(stream):
            at(getattr(stream, "fileobj", stream).tell() / size)
            if number == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            block = _numbered(raw, number, encoding)
            number += raw.count(b"\n") + 1
            _report_undecoded(block, path.name, role, tally)
            yield block.filter(pl.col("text").is_not_null() & (pl.col("text") != "")).select("line", "text")


class _Readable:
    """Turns the system's errors into a DataError that names the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, gzip.BadGzipFile | EOFError | zlib.error):
            raise DataError(
                "the compressed file is damaged or cut short", where=str(self.path), remedy="fetch it again"
            ) from error
        if isinstance(error, OSError):
            raise DataError(
                "the file cannot be read", value=error.strerror, where=str(self.path), remedy="check path and rights"
            ) from error


def _whole_lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Runs of whole lines, without the newline at the end."""
    rest: list[bytes] = []
    waiting = 0
    while piece := stream.read(BLOCK):
        head, newline, tail = piece.rpartition(b"\n")
        if newline:
            yield b"".join([*rest, head])
            rest, waiting = [tail], len(tail)
        elif waiting < LONGEST_LINE:
            rest.append(piece)
            waiting += len(piece)
    if waiting:
        yield b"".join(rest)


def _numbered(raw: bytes, number: int, encoding: str) -> pl.DataFrame:
    """`line`, `text` (null where undecodable), `raw` (only then filled)."""
    try:
        text = pl.Series([raw.decode(encoding)], dtype=pl.String).str.split("\n").explode()
        shown = pl.Series([None], dtype=pl.String).new_from_index(0, len(text))
    except UnicodeDecodeError:
        pairs = [_decoded(one, encoding) for one in raw.split(b"\n")]
        text = pl.Series([pair[0] for pair in pairs], dtype=pl.String)
        shown = pl.Series([pair[1] for pair in pairs], dtype=pl.String)
    line = pl.int_range(number, number + len(text), eager=True, dtype=pl.Int64)
    return pl.DataFrame({"line": line, "text": text.str.strip_suffix("\r"), "raw": shown})


def _decoded(raw: bytes, encoding: str) -> tuple[str | None, str | None]:
    try:
        return raw.decode(encoding), None
    except UnicodeDecodeError:
        return None, raw.decode(encoding, errors="replace")


def _report_undecoded(block: pl.DataFrame, file: str, role: str, tally: Tally) -> None:
    bad = block.filter(pl.col("raw").is_not_null())
    tally.add_rows(file, role, read=bad.height)
    tally.problem(file, "(line)", "is not UTF-8", "save the file as UTF-8", bad["line"], bad["raw"])

"""Slots: how the text of items and users enters a prompt. Knows text; no templates, catalogs or models.

Such text is data. Whatever it says, it cannot end its slot, hold a control or code token, start a line, speak in
another role or pass for an evidence marker: those signs are replaced by harmless ones that read the same.
"""

from __future__ import annotations

import re
import unicodedata

from genrec.errors import PromptError

OPEN, CLOSE = "<|text|>", "<|text_end|>"
CONTROL = re.compile(r"<\|[a-z_]+\|>")
"""A control token of a template, such as `<|next|>`."""
MARKERS = ("item", "liked_1", "liked_2", "field_1", "value_1", "field_2", "value_2", "other", "rule")
"""What an explanation may leave open, as `{item}`, for code to fill in with evidence."""

_CODES = re.compile(r"(?:<[a-z]_\d+>)*")
_LOOK_ALIKES = {"<": "‹", ">": "›", "|": "¦"}
_ROLE = re.compile(
    r"(\b(?:system|user|assistant|human|tool|developer|instruction|response)|系统|用户|助手|人类)\s*[:：﹕]+\s*",
    re.IGNORECASE,
)
_TAG = re.compile(r"\[(/?[A-Z_]+)\]")
_BRACED = re.compile(r"\{(\w+)\}")


class Ready(str):
    """Text that may stand in a prompt as it is."""

    __slots__ = ()


class _Kept(dict[int, str]):
    """Code point → what a slot keeps of it; filled in as characters turn up (`str.translate` asks it)."""

    def __missing__(self, code: int) -> str:
        kept = self[code] = _kept(chr(code))
        return kept


def _kept(character: str) -> str:
    if character.isspace():
        return " "
    if unicodedata.category(character).startswith("C"):  # control, invisible, surrogate: tricks or tokenizer crashes
        return ""
    plain = unicodedata.normalize("NFKD", character)  # some tokenizers normalise ＜ and ≮ to <
    return next((harmless for sign, harmless in _LOOK_ALIKES.items() if sign in plain), character)


_KEPT = _Kept()


def clean(text: str) -> Ready:
    """The text in one line, without a sign that a template, a chat format or a tokenizer could act upon.

    Cleaning twice changes nothing more. Braces and brackets stay unless they make `{item}` or `[INST]`.
    """
    return Ready(_BRACED.sub(r"(\1)", _line(text)))


def slot(text: str, limit: int | None = None) -> Ready:
    """The cleaned text, at most `limit` characters of it, between the slot's delimiters."""
    return Ready(f"{OPEN}{clean(text)[:limit].rstrip()}{CLOSE}")


def codes(text: str) -> Ready:
    """Semantic IDs as they are; raises PromptError if the text is anything but code tokens."""
    if not _CODES.fullmatch(text):
        raise PromptError("not a string of code tokens", value=text, allowed="<a_3><b_17>… without separators")
    return Ready(text)


def marked(text: str) -> Ready:
    """A sentence with evidence markers: the markers stay, the rest is cleaned; an unknown one is a PromptError."""
    line = _line(text)
    unknown = [name for name in _BRACED.findall(line) if name not in MARKERS]
    if unknown:
        raise PromptError("unknown evidence markers", value=unknown, allowed=", ".join(MARKERS))
    return Ready(line)


def markers_in(text: str) -> frozenset[str]:
    """The names of the evidence markers in the text, known or not."""
    return frozenset(_BRACED.findall(text))


def _line(text: str) -> str:
    line = " ".join(text.translate(_KEPT).split())
    return _TAG.sub(r"(\1)", _ROLE.sub(r"\1 - ", line)).strip()

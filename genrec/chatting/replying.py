"""An answer in words, English or Chinese: the items by name, what was understood, what could not be. Knows no model.

Names and what a user wrote go through `slots.clean`: they are one line and speak in nobody's role.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genrec.chatting.conversation import Conversation
from genrec.chatting.request import Language
from genrec.chatting.rules import Rule
from genrec.slots import clean

_LONGEST = 80  # characters of what could not be linked


@dataclass(frozen=True)
class Line:
    """One item of the answer."""

    title: str
    why: str = ""


_SAID: dict[Language, dict[str, str]] = {
    "en": {
        "here": "Here is what I would choose next:", "fits": "Here is what fits ({rules}):",
        "none": "Nothing fits all of this: {rules}.", "relax": "Without {rules}, {count} would be left.",
        "unlinked": "I do not know {names} in this catalog, so I left that aside.",
        "degraded": "(The language model is not available; the order is by what goes together with your choices.)",
        "vague": "What are you in the mood for? Name something you liked, {examples}, or say “surprise me”.",
        "or": " or ",
    },
    "zh": {
        "here": "接下来我会选：", "fits": "符合要求的有（{rules}）：", "none": "没有同时符合这些要求的：{rules}。",
        "relax": "去掉 {rules} 之后还有 {count} 个。", "unlinked": "目录里找不到 {names}，所以没有考虑。",
        "degraded": "（语言模型暂时不可用，顺序由相关性决定。）",
        "vague": "您想要什么样的？说一个您喜欢的，{examples}，或者说“随便”。", "or": "或",
    },
}  # fmt: skip


def reply(whole: Conversation, lines: Sequence[Line], *, degraded: bool = False) -> str:
    """The items, numbered, under what was understood; then what was left aside."""
    said = _SAID[whole.language]
    opening = said["fits"].format(rules=rules_in_words(whole.rules)) if whole.rules else said["here"]
    listed = [f"{place}. {_line(line)}" for place, line in enumerate(lines, 1)]
    return "\n".join(filter(None, [opening, *listed, said["degraded"] if degraded else "", _aside(whole)]))


def no_match(whole: Conversation, relax: Sequence[Rule], count: int) -> str:
    """That nothing fits, and the smallest change that would help."""
    said = _SAID[whole.language]
    help_ = said["relax"].format(rules=rules_in_words(relax), count=count) if relax else ""
    return "\n".join(filter(None, [said["none"].format(rules=rules_in_words(whole.rules)), help_, _aside(whole)]))


def question(whole: Conversation, examples: Sequence[str]) -> str:
    """What to ask when nothing was said that could guide a choice; examples: `genres (Drama, Comedy)` and the like."""
    said = _SAID[whole.language]
    return said["vague"].format(examples=said["or"].join(map(clean, examples)))


def rules_in_words(rules: Sequence[Rule]) -> str:
    return "; ".join(clean(str(rule)) for rule in rules)


def _aside(whole: Conversation) -> str:
    if not whole.unlinked:
        return ""
    names = ", ".join(f"“{clean(name)[:_LONGEST]}”" for name in whole.unlinked)
    return _SAID[whole.language]["unlinked"].format(names=names)


def _line(line: Line) -> str:
    return f"{clean(line.title)}: {clean(line.why)}" if line.why else clean(line.title)

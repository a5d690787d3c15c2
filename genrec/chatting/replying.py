"""An answer in words, English or Chinese: the items by name, what was understood, what could not be. Knows no model.

Names and what a user wrote go through `slots.clean`: they are one line and speak in nobody's role.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from genrec.chatting.conversation import Conversation
from genrec.chatting.request import Language
from genrec.chatting.rules import Rule
from genrec.explaining.telling import ruled
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
        "went_by": "I also went by: {parts}.", "taken": "I read {pairs}.", "pair": "“{said}” as “{name}”",
        "like": "like {names}", "unlike": "nothing like {names}", "fond": "you are fond of {rules}",
        "cold": "you are not fond of {rules}", "mood": "mood {names}", "no_mood": "not {names}",
        "seen": "without {names}, which you know", "talk": "You are welcome. Tell me when you want something else.",
        "degraded": "(The language model is not available; the order is by what goes together with your choices.)",
        "vague": "What are you in the mood for? Name something you liked, {examples}, or say “surprise me”.",
        "or": " or ",
    },
    "zh": {
        "here": "接下来我会选：", "fits": "符合要求的有（{rules}）：", "none": "没有同时符合这些要求的：{rules}。",
        "relax": "去掉 {rules} 之后还有 {count} 个。", "unlinked": "目录里找不到 {names}，所以没有考虑。",
        "went_by": "另外考虑了：{parts}。", "taken": "我把{pairs}。", "pair": "“{said}”理解为“{name}”",
        "like": "类似 {names}", "unlike": "不要像 {names}", "fond": "您偏爱 {rules}", "cold": "您不太喜欢 {rules}",
        "mood": "氛围 {names}", "no_mood": "不要 {names}", "seen": "不含您看过的 {names}",
        "talk": "不客气。想看别的随时告诉我。",
        "degraded": "（语言模型暂时不可用，顺序由相关性决定。）",
        "vague": "您想要什么样的？说一个您喜欢的，{examples}，或者说“随便”。", "or": "或",
    },
}  # fmt: skip


def reply(
    whole: Conversation, lines: Sequence[Line], *, degraded: bool = False, titles: Mapping[str, str] | None = None
) -> str:
    """The items, numbered, under what was understood; then what was left aside. titles: of items that were named."""
    said = _SAID[whole.language]
    opening = said["fits"].format(rules=rules_in_words(whole.rules, whole.language)) if whole.rules else said["here"]
    listed = [f"{place}. {_line(line)}" for place, line in enumerate(lines, 1)]
    notes = [went_by(whole, titles or {}), said["degraded"] if degraded else "", _aside(whole)]
    return "\n".join(filter(None, [opening, *listed, *notes]))


def went_by(whole: Conversation, titles: Mapping[str, str]) -> str:
    """What beside the rules was understood: likes, traits, moods; empty where nothing was."""
    said = _SAID[whole.language]
    names = {
        "like": _names(whole.liked, titles), "unlike": _names(whole.disliked, titles),
        "seen": _names(whole.seen, titles),
        "mood": _quoted(whole.moods), "no_mood": _quoted(whole.unwanted_moods),
    }  # fmt: skip
    rules = {
        "fond": rules_in_words(whole.liked_traits, whole.language),
        "cold": rules_in_words(whole.disliked_traits, whole.language),
    }
    parts = [said[key].format(names=value) for key, value in names.items() if value]
    parts += [said[key].format(rules=value) for key, value in rules.items() if value]
    return said["went_by"].format(parts="; ".join(parts)) if parts else ""


def small_talk(whole: Conversation) -> str:
    """An answer to thanks and the like, that recommends nothing."""
    return _SAID[whole.language]["talk"]


def _names(items: Sequence[str], titles: Mapping[str, str]) -> str:
    return ", ".join(clean(titles[item]) for item in items if item in titles)


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(f"“{clean(one)[:_LONGEST]}”" for one in words)


def no_match(whole: Conversation, relax: Sequence[Rule], count: int) -> str:
    """That nothing fits, and the smallest change that would help."""
    said = _SAID[whole.language]
    help_ = said["relax"].format(rules=rules_in_words(relax, whole.language), count=count) if relax else ""
    return "\n".join(
        filter(None, [said["none"].format(rules=rules_in_words(whole.rules, whole.language)), help_, _aside(whole)])
    )


def question(whole: Conversation, examples: Sequence[str]) -> str:
    """What to ask when nothing was said that could guide a choice; examples: `genres (Drama, Comedy)` and the like."""
    said = _SAID[whole.language]
    return said["vague"].format(examples=said["or"].join(map(clean, examples)))


def rules_in_words(rules: Sequence[Rule], language: Language) -> str:
    """`genre Comedy; year below 1990`."""
    return ("；" if language == "zh" else "; ").join(ruled(rule, language, brief=True) for rule in rules)


def _aside(whole: Conversation) -> str:
    """What was taken for something spelt otherwise, and what could not be linked."""
    said = _SAID[whole.language]
    pairs = "，" if whole.language == "zh" else ", "
    taken = pairs.join(
        said["pair"].format(said=clean(one)[:_LONGEST], name=clean(name)) for one, name in whole.taken_as
    )
    told = [said["taken"].format(pairs=taken)] if taken else []
    told += [said["unlinked"].format(names=_quoted(whole.unlinked))] if whole.unlinked else []
    return " ".join(told)


def _line(line: Line) -> str:
    return f"{clean(line.title)}: {clean(line.why)}" if line.why else clean(line.title)

"""Several messages as one wish: later ones revise earlier ones. Knows no model, engine or user.

A later rule on a field replaces earlier ones that it contradicts, and stands beside them where the message says "also";
a value that was wanted and is then refused (or the other way round) is what was said last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from genrec.chatting.request import Language, Request
from genrec.chatting.rules import Rule

_POSITIVE, _NEGATIVE = ("=", "in"), ("!=", "not in")
_BOUNDS = {"<": "high", "<=": "high", ">": "low", ">=": "low"}


@dataclass(frozen=True)
class Conversation:
    """What holds after all messages. unlinked: of the last message only; shown: items that must not come again."""

    liked: tuple[str, ...] = ()
    disliked: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    count: int | None = None
    surprise: bool = False
    language: Language = "en"
    unlinked: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()

    @classmethod
    def of(cls, requests: Sequence[Request]) -> Conversation:
        """All messages, oldest first."""
        whole = cls()
        for request in requests:
            whole = whole.revised(request)
        return whole

    @property
    def vague(self) -> bool:
        """Whether nothing was said that could guide a choice."""
        return not (self.liked or self.disliked or self.rules or self.surprise)

    def revised(self, request: Request, shown: Sequence[str] = ()) -> Conversation:
        """After one more message. shown: items that the answers so far named; they stay away when others are asked."""
        before = Conversation(count=self.count) if request.afresh else self
        return replace(
            before,
            liked=_joined(before.liked, request.liked, without=request.disliked),
            disliked=_joined(before.disliked, request.disliked, without=request.liked),
            rules=_rules(before.rules, request),
            count=request.count if request.count is not None else before.count,
            surprise=request.surprise or (before.surprise and request.empty),
            language=request.language,
            unlinked=request.unlinked,
            shown=_joined(before.shown, shown if request.others else ()),
        )


def _joined(old: Sequence[str], new: Sequence[str], without: Sequence[str] = ()) -> tuple[str, ...]:
    gone = set(without)
    return tuple(dict.fromkeys(item for item in [*old, *new] if item not in gone))


def _rules(old: Sequence[Rule], request: Request) -> tuple[Rule, ...]:
    kept = [rule for rule in old if rule.field not in request.forget]
    for new in request.rules:
        kept = [left for rule in kept if (left := _left(rule, new, request.also)) is not None]
    return tuple(dict.fromkeys([*kept, *request.rules]))


def _left(rule: Rule, new: Rule, also: bool) -> Rule | None:
    """What a later rule leaves of an earlier one."""
    if rule.field != new.field or rule == new:
        return rule
    if rule.op in _NEGATIVE + _POSITIVE and new.op in _NEGATIVE + _POSITIVE:
        if (rule.op in _POSITIVE) == (new.op in _POSITIVE):
            return rule if also or new.op in _NEGATIVE else None
        return _without(rule, _values(new))
    if also:
        return rule
    return rule if _sides(rule).isdisjoint(_sides(new)) else None


def _values(rule: Rule) -> set[str]:
    return {str(one).casefold() for one in (rule.value if isinstance(rule.value, tuple) else (rule.value,))}


def _without(rule: Rule, gone: set[str]) -> Rule | None:
    left = tuple(
        one
        for one in (rule.value if isinstance(rule.value, tuple) else (rule.value,))
        if str(one).casefold() not in gone
    )
    if not left:
        return None
    return rule if not isinstance(rule.value, tuple) else rule.model_copy(update={"value": left})


def _sides(rule: Rule) -> set[str]:
    """Which ends of a number's range a rule bounds."""
    return {_BOUNDS[rule.op]} if rule.op in _BOUNDS else {"low", "high"}

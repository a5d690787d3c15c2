"""Several messages as one wish: later ones revise earlier ones. Knows no model, engine or user.

A later rule on a field replaces earlier ones that it contradicts, and stands beside them where the message says "also";
a value that was wanted and is then refused (or the other way round) is what was said last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from genrec.chatting.request import Language, Request
from genrec.chatting.rules import Rule

T = TypeVar("T")
_POSITIVE, _NEGATIVE = ("=", "in"), ("!=", "not in")
_BOUNDS = {"<": "high", "<=": "high", ">": "low", ">=": "low"}


@dataclass(frozen=True)
class Leaning:
    """What moves scores and forbids nothing: traits, words for a mood, and items not to be like."""

    liked: tuple[Rule, ...] = ()
    disliked: tuple[Rule, ...] = ()
    moods: tuple[str, ...] = ()
    unwanted_moods: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.liked or self.disliked or self.moods or self.unwanted_moods or self.unlike)


@dataclass(frozen=True)
class Conversation:
    """What holds after all messages. shown, seen: items that must not come again; unlinked, taken_as, talk: of the last
    message only."""

    liked: tuple[str, ...] = ()
    disliked: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    liked_traits: tuple[Rule, ...] = ()
    disliked_traits: tuple[Rule, ...] = ()
    moods: tuple[str, ...] = ()
    unwanted_moods: tuple[str, ...] = ()
    count: int | None = None
    surprise: bool = False
    language: Language = "en"
    unlinked: tuple[str, ...] = ()
    taken_as: tuple[tuple[str, str], ...] = ()
    talk: bool = False
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
        return not (self.liked or self.disliked or self.rules or self.surprise or self.leaning)

    @property
    def excluded(self) -> tuple[str, ...]:
        """Items that must not come."""
        return tuple(dict.fromkeys([*self.disliked, *self.seen, *self.shown]))

    @property
    def leaning(self) -> Leaning:
        return Leaning(self.liked_traits, self.disliked_traits, self.moods, self.unwanted_moods, self.disliked)

    def revised(self, request: Request, shown: Sequence[str] = ()) -> Conversation:
        """After one more message. shown: items that the answers so far named; they stay away when others are asked."""
        before = Conversation(count=self.count) if request.afresh else self
        wanted, refused = _as_traits(request.rules, _POSITIVE), _as_traits(request.rules, _NEGATIVE)
        return replace(
            before,
            liked=_joined(before.liked, request.liked, without=(*request.disliked, *request.withdrawn_items)),
            disliked=_joined(before.disliked, request.disliked, without=(*request.liked, *request.withdrawn_items)),
            seen=_joined(before.seen, request.seen, without=request.withdrawn_items),
            rules=_rules(before.rules, request),
            liked_traits=_joined(
                before.liked_traits, request.liked_traits,
                without=(*request.disliked_traits, *request.withdrawn, *refused),
            ),
            disliked_traits=_joined(
                before.disliked_traits, request.disliked_traits,
                without=(*request.liked_traits, *request.withdrawn, *wanted),
            ),
            moods=_joined(before.moods, request.moods, without=request.unwanted_moods),
            unwanted_moods=_joined(before.unwanted_moods, request.unwanted_moods, without=request.moods),
            count=request.count if request.count is not None else before.count,
            surprise=request.surprise or (before.surprise and request.empty),
            language=request.language,
            unlinked=request.unlinked,
            taken_as=request.taken_as,
            talk=request.talk,
            shown=_joined(before.shown, shown if request.others else ()),
        )  # fmt: skip


def _joined(old: Sequence[T], new: Sequence[T], without: Sequence[T] = ()) -> tuple[T, ...]:
    gone = set(without)
    return tuple(dict.fromkeys(item for item in [*old, *new] if item not in gone))


def _as_traits(rules: Sequence[Rule], ops: Sequence[str]) -> list[Rule]:
    """`field = value` for every value that rules of these kinds name."""
    values = [(rule.field, value) for rule in rules if rule.op in ops
              for value in (rule.value if isinstance(rule.value, tuple) else (rule.value,))]  # fmt: skip
    return [Rule(field=field, op="=", value=value) for field, value in values]


def _rules(old: Sequence[Rule], request: Request) -> tuple[Rule, ...]:
    kept = [rule for rule in old if rule.field not in request.forget]
    for gone in request.withdrawn:
        kept = [left for rule in kept if (left := _forgetting(rule, gone)) is not None]
    for new in request.rules:
        kept = [left for rule in kept if (left := _left(rule, new, request.also)) is not None]
    return tuple(dict.fromkeys([*kept, *request.rules]))


def _forgetting(rule: Rule, gone: Rule) -> Rule | None:
    """What is left of a rule without a value, wanted or refused."""
    return _without(rule, _values(gone)) if rule.field == gone.field and rule.op in _NEGATIVE + _POSITIVE else rule


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

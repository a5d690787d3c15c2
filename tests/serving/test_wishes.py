"""What a conversation asks of the catalog: all of it, or a refusal that says the limit. No server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from genrec.chatting.conversation import Conversation
from genrec.chatting.rules import Rule
from genrec.errors import ConfigError
from serving.schemas.chat import ChatRequest, Message
from serving.schemas.recommendations import MOST_RULES
from serving.schemas.shared import MOST_ITEMS
from serving.settings import LimitSettings
from serving.talking import wish

ASKED = ChatRequest(messages=[Message(role="user", content="others, please")], user="ann")
SERVICE: Any = SimpleNamespace(settings=SimpleNamespace(limits=LimitSettings()))


def named(count: int) -> tuple[str, ...]:
    return tuple(f"i{number}" for number in range(count))


def test_all_that_was_shown_or_disliked_is_excluded_once() -> None:
    whole = Conversation(disliked=named(600), shown=named(MOST_ITEMS))
    assert wish(SERVICE, ASKED, whole).exclude == list(named(MOST_ITEMS))


def test_one_too_many_is_refused_with_the_limit() -> None:
    with pytest.raises(ConfigError, match="too many items") as told:
        wish(SERVICE, ASKED, Conversation(disliked=("other",), shown=named(MOST_ITEMS)))
    assert (told.value.value, told.value.allowed) == (MOST_ITEMS + 1, "at most 1,000")
    assert told.value.remedy == "start a new conversation"


def test_a_rule_too_many_is_refused_with_the_limit() -> None:
    rules = [Rule(field="year", op="!=", value=year) for year in range(MOST_RULES + 1)]
    assert wish(SERVICE, ASKED, Conversation(rules=tuple(rules[1:]))).filters == rules[1:]
    with pytest.raises(ConfigError, match="too many rules") as told:
        wish(SERVICE, ASKED, Conversation(rules=tuple(rules)))
    assert told.value.allowed == f"at most {MOST_RULES}"

"""How evidence reads: titles in quotes, field names, values, filled sentences, and the plain sentence. Knows no model.

Every name in a statement is copied from the catalog here; nothing else ever writes one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from genrec.catalog import Catalog
from genrec.chatting.rules import Rule
from genrec.explaining.evidence import Told
from genrec.prompting import Part
from genrec.slots import clean

LONGEST_TITLE = 80
"""Characters; a longer title is cut at a word and ends in an ellipsis."""

_MARKER = re.compile(r"\{(\w+)\}")
_ENGLISH = {
    **dict.fromkeys(("cast", "starring", "stars", "actors"), "actor"),
    **dict.fromkeys(("series", "species", "news"), ""),
}
_CHINESE = {
    **dict.fromkeys(("director", "directors"), "导演"),
    **dict.fromkeys(("cast", "actor", "actors", "starring", "stars"), "演员"),
    **dict.fromkeys(("genre", "genres"), "类型"),
    **dict.fromkeys(("keyword", "keywords"), "关键词"),
    **dict.fromkeys(("tag", "tags"), "标签"),
    **dict.fromkeys(("country", "countries"), "国家"),
    **dict.fromkeys(("decade", "era"), "年代"),
    **dict.fromkeys(("brand", "brands"), "品牌"),
    **dict.fromkeys(("category", "categories"), "类别"),
    **dict.fromkeys(("author", "authors"), "作者"),
    **dict.fromkeys(("attribute", "attributes"), "属性"),
    **dict.fromkeys(("term", "terms"), "用语"),
    "language": "语言",
    "city": "城市",
    "year": "年份",
    "date": "日期",
    "runtime": "片长",
    "price": "价格",
    "rating": "评分",
}


def human(field: str, language: str) -> str:
    """A column's name as a word in the singular: `keywords` → "keyword", `cast` → "actor"; in Chinese where known."""
    plain = field.lower()
    if language == "zh" and plain in _CHINESE:
        return _CHINESE[plain]
    if plain in _ENGLISH:
        return _ENGLISH[plain] or plain
    words = clean(re.sub(r"[_\-\s]+", " ", plain)).strip()
    words = re.sub(r"(?<=[^aeiouv])ies$", "y", words)
    words = re.sub(r"(?<=ss|ch|sh|.x)es$", "", words)
    return re.sub(r"(?<=[^suix])s$", "", words)


def quoted(title: str) -> str:
    """A title between “ and ”, which stand nowhere else in a statement."""
    line = re.sub("[“”]", '"', clean(title))
    if len(line) > LONGEST_TITLE:
        line = line[:LONGEST_TITLE].rsplit(" ", 1)[0].rstrip(" ,;:-") + "…"
    return f"“{line}”"


def filled(sentence: str, names: dict[str, str]) -> str:
    """The sentence with its markers replaced, its first letter a capital; markers without a name stay."""
    text = _MARKER.sub(lambda marker: names.get(marker[1], marker[0]), sentence)
    return text[:1].upper() + text[1:]


@dataclass(frozen=True)
class Telling:
    """Evidence over this catalog in this language; languages other than Chinese (`zh`) get English plain sentences."""

    catalog: Catalog
    language: str

    def title(self, item: int) -> str:
        """The title in quotes; the item's id where it has none."""
        return quoted(self.catalog.titles[item].strip() or self.catalog.item_ids[item])

    def value(self, field: str, value: str) -> str:
        if self.language == "zh" and field == "decade":
            return value.removesuffix("s") + "年代"
        return re.sub("[“”]", '"', clean(value))

    def names(self, told: Told) -> dict[str, str]:
        """Marker → what it stands for; markers without evidence are absent."""
        names = {"item": self.title(told.item)}
        names |= {f"liked_{place}": self.title(item) for place, item in enumerate(told.liked, 1)}
        for place, fact in enumerate(told.facts, 1):
            names[f"field_{place}"] = human(fact.field, self.language)
            names[f"value_{place}"] = self.value(fact.field, fact.value)
        if told.other is not None:
            names["other"] = self.title(told.other)
        if told.rule is not None:
            names["rule"] = ruled(told.rule, self.language)
        return names

    def fill(self, sentence: str, told: Told) -> str:
        """The sentence with its markers replaced; those without evidence stay (the checker refuses them)."""
        return filled(sentence, self.names(told))

    def plain(self, part: Part, told: Told) -> str:
        """The factual sentence that is true by construction, with its markers."""
        return plain_sentence(part, told, self.language)


def ruled(rule: Rule, language: str, *, brief: bool = False) -> str:
    """A rule of the request in words: "the genre is Comedy"; brief: "genre Comedy". No signs, for slots turn `<` into
    one that cannot open a token."""
    signs, joints = (_RULES_ZH, _JOINTS_ZH) if language == "zh" else (_RULES, _JOINTS)
    values = rule.value if isinstance(rule.value, tuple) else (rule.value,)
    joint = joints["between" if rule.op == "between" else "or"]
    said = signs[rule.op].format(joint.join(re.sub("[“”]", '"', clean(str(one))) for one in values))
    field = human(rule.field, language)
    if language == "zh":
        return field + said
    return f"{field} {said.removeprefix('is ')}" if brief else f"the {field} {said}"


_JOINTS, _JOINTS_ZH = {"between": " and ", "or": " or "}, {"between": "到", "or": "或"}
_RULES = {
    "=": "is {}", "!=": "is not {}", "<": "is below {}", "<=": "is at most {}", ">": "is above {}",
    ">=": "is at least {}", "between": "is between {}", "in": "is {}", "not in": "is not {}",
}  # fmt: skip
_RULES_ZH = {
    "=": "为{}", "!=": "不是{}", "<": "小于{}", "<=": "不超过{}", ">": "大于{}", ">=": "不小于{}",
    "between": "在{}之间", "in": "为{}", "not in": "不是{}",
}  # fmt: skip
_PLAIN = {
    "contrast": "{item} stands before {other} because you chose {liked_1}.",
    "rule": "Asked for and met: {rule}.",
}
_PLAIN_ZH = {"contrast": "因为您选过{liked_1}，{item}排在{other}之前。", "rule": "符合要求：{rule}。"}


def plain_sentence(part: Part, told: Told, language: str) -> str:
    """The plain sentence with its markers."""
    liked = [f"{{liked_{place}}}" for place in range(1, len(told.liked) + 1)]
    if part == "counterfactual":
        if language == "zh":
            return f"没有{'和'.join(liked)}，{{item}}就不在其中。"
        return f"Without {' and '.join(liked)} {{item}} would not be among these."
    if part in _PLAIN:
        return (_PLAIN_ZH if language == "zh" else _PLAIN)[part]
    facts = range(1, len(told.facts) + 1)
    return (_chinese if language == "zh" else _english)(told, liked, facts)


def _english(told: Told, liked: list[str], facts: range) -> str:
    if not liked:
        return "Recommended without a choice of yours to name as the reason."
    opening = f"Recommended {'because' if told.moved else 'after'} you chose {' and '.join(liked)}"
    shared = " and ".join(f"the {{field_{fact}}} ({{value_{fact}}})" for fact in facts)
    return f"{opening}; it shares {shared} with {' and '.join(liked[: told.sharing])}." if shared else f"{opening}."


def _chinese(told: Told, liked: list[str], facts: range) -> str:
    if not liked:
        return "这项推荐没有可以举出的选择作为依据。"
    opening = f"因为您选过{'和'.join(liked)}而推荐" if told.moved else f"在您选过{'和'.join(liked)}之后推荐"
    shared = "和".join(f"{{field_{fact}}}（{{value_{fact}}}）" for fact in facts)
    return f"{opening}；它与{'和'.join(liked[: told.sharing])}的{shared}相同。" if shared else f"{opening}。"

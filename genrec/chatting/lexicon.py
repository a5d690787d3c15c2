"""The words that carry meaning in a request, English and Chinese. Knows no catalog.

Patterns of one language never fire in the other, so both are tried on every message.
"""

from __future__ import annotations

import re

NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "一": 1, "两": 2, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9, "十": 10,
}  # fmt: skip
_COUNT = r"\d{1,3}|" + "|".join(NUMBERS)

NEGATION = re.compile(
    r"\b(?:not|no|nothing|without|except|excluding|exclude|avoid|never|hate[ds]?|dislike[ds]?|skip|"
    r"don'?t|didn'?t|doesn'?t|isn'?t|won'?t|anything but|other than|nor|sick of|tired of)\b"
    r"|不要|不想|不喜欢|讨厌|除了|别|不看|没有",
    re.IGNORECASE,
)
"""What follows it in its clause is not wanted."""
TURN = re.compile(
    r"\b(?:but|instead|rather|only|just|want|would like|i'?d like|i (?:really )?(?:like|love)d?|looking for|show me|"
    r"give me|recommend)\b|[,;] (?:an?|some|something)\b|但是|但|而是|只要|想看|想要|我要|喜欢|推荐",
    re.IGNORECASE,
)
"""Ends the reach of a negation before it."""
LIKING = re.compile(
    r"\b(?:i (?:really |also )?(?:like[ds]?|love[ds]?|enjoy(?:ed)?|adore[ds]?|watched|saw|read|bought)|similar to|"
    r"fan of|in the style of|such as|along the lines of|reminds? me of|more like|like)\s+"
    r"|喜欢|爱看|看过|类似|像",
    re.IGNORECASE,
)
"""A title may follow it."""
SURPRISE = re.compile(
    r"\bsurprise me\b|\banything(?: goes| at all| is fine)\b|\bwhatever you (?:like|want)\b|\bdealer'?s choice\b"
    r"|随便|惊喜|都可以",
    re.IGNORECASE,
)
OTHERS = re.compile(
    r"\b(?:something else|others?|more|another|different ones?|next)\b|换一批|其他|别的|还有吗|再来|更多", re.IGNORECASE
)
"""What was shown already should not come again."""
AFRESH = re.compile(
    r"\bstart (?:over|again|afresh)\b|\bforget (?:everything|all(?: of (?:it|that))?|it all)\b|\breset\b"
    r"|重新开始|重来|全部忘",
    re.IGNORECASE,
)
FORGET = re.compile(
    r"\b(?:forget (?:about )?|never mind |ignore |drop |any |no matter (?:which|what) |"
    r"(?:don'?t|do not) care (?:about|which) )"
    r"(?:the )?(?P<field>\w+)(?: (?:is fine|will do|rule|limit))?|不限(?P<zh>\w{1,6})",
    re.IGNORECASE,
)
"""The rules on a field go."""
ALSO = re.compile(r"\b(?:also|too|as well|additionally|still|on top)\b|也要|还要|同时", re.IGNORECASE)
COUNT = re.compile(
    rf"\b(?:top|give me|show me|recommend(?: me)?|suggest|list|find(?: me)?|need|want)\s+"
    rf"(?P<a>{_COUNT})\b(?!\s*(?:s\b|minutes?|min\b|hours?|stars?))"
    rf"|\b(?P<b>{_COUNT})\s+(?:\w+\s+){{0,2}}?(?:films?|movies?|items?|books?|games?|products?|titles?|songs?|shows?|"
    rf"options?|suggestions?|recommendations?|things?|places?|ideas?)\b"
    rf"|^\s*(?P<d>{_COUNT})\s+(?=[a-z])(?!s\b|minutes?|hours?)"
    rf"|(?P<c>{_COUNT})\s*(?:部|个|本|首|款|件|家)",
    re.IGNORECASE,
)
QUOTED = re.compile(r"[“\"]([^”\"]{1,120})[”\"]|《([^》]{1,120})》|「([^」]{1,120})」|(?<!\w)'([^']{2,80})'(?!\w)")

# Words in front of a value → names that its field may have.
FIELD_CUES = (
    (re.compile(r"(?:directed by|director|by|导演)\s*$", re.IGNORECASE), ("director", "author", "brand", "artist")),
    (
        re.compile(r"(?:starring|with|actors?|featuring|played by|主演|演员)\s*$", re.IGNORECASE),
        ("cast", "actor", "stars"),
    ),
    (re.compile(r"(?:from|made in|country|来自)\s*$", re.IGNORECASE), ("country", "origin", "brand")),
    (re.compile(r"(?:about|theme|关于)\s*$", re.IGNORECASE), ("keyword", "keywords", "tag", "tags", "topic")),
)

# Kind of number → names that its field may have, the first that the catalog holds counts.
NUMBER_FIELDS = {
    "year": ("year", "release_year", "released", "published", "date"),
    "minutes": ("runtime", "duration", "length", "minutes"),
    "price": ("price", "cost"),
    "pages": ("pages", "page_count"),
    "rating": ("rating", "stars", "score"),
}

GENRES_ZH = {
    "喜剧": "comedy", "恐怖": "horror", "爱情": "romance", "科幻": "science fiction", "动作": "action",
    "动画": "animation",
    "剧情": "drama", "悬疑": "mystery", "惊悚": "thriller", "战争": "war", "犯罪": "crime", "奇幻": "fantasy",
    "冒险": "adventure",
    "纪录": "documentary", "历史": "history", "音乐": "music", "西部": "western", "家庭": "family", "传记": "biography",
    "法国": "france", "美国": "united states", "日本": "japan", "中国": "china", "英国": "united kingdom",
    "德国": "germany",
    "意大利": "italy", "韩国": "south korea", "印度": "india", "香港": "hong kong", "苏联": "soviet union",
    "西班牙": "spain",
}  # fmt: skip
"""What a Chinese request calls values that an English catalog holds."""
MOODS_ZH = {
    "温馨": "heartwarming", "感人": "touching", "烧脑": "mind-bending", "治愈": "comforting",
    "压抑": "oppressive", "刺激": "thrilling", "文艺": "arthouse", "热血": "rousing",
    "诡异": "eerie", "暖心": "heartwarming", "深刻": "profound", "唯美": "beautiful",
    "荒诞": "absurd", "沉闷": "dull", "血腥": "bloody", "催泪": "tear-jerking",
    "励志": "inspiring", "悠闲": "leisurely", "轻松": "light-hearted", "搞笑": "hilarious",
    "浪漫": "romantic", "紧张": "tense", "黑暗": "dark",
}  # fmt: skip
"""Chinese words for a mood, for an encoder that reads English."""
ALIASES_EN = {
    "sci-fi": "science fiction", "scifi": "science fiction", "sf": "science fiction", "romantic": "romance",
    "funny": "comedy", "scary": "horror", "animated": "animation", "cartoon": "animation", "french": "france",
    "american": "united states", "usa": "united states", "japanese": "japan", "british": "united kingdom",
    "uk": "united kingdom",
    "english": "united kingdom", "german": "germany", "italian": "italy", "korean": "south korea", "indian": "india",
    "chinese": "china", "spanish": "spain", "soviet": "soviet union", "swedish": "sweden", "danish": "denmark",
    "polish": "poland", "russian": "russia", "iranian": "iran", "brazilian": "brazil", "mexican": "mexico",
    "documentaries": "documentary", "comedies": "comedy", "mysteries": "mystery", "fantasies": "fantasy",
    "romances": "romance", "biopic": "biography",
}  # fmt: skip

_FILLER_EN = """
a about above again all also am an and any anything are as at be been but by can could did do does ever every few film
films find fine for from genre get give go good great had has have here how i i'd i'll i'm if in into is it it's item
items its just kind know latest let like liked list lot love loved make many maybe me mind mood more most movie movies
much must my need new next nice no not now of off ok okay old on one ones only or other others out over please pick
prefer rather really recommend recommendation recommendations same see set should show shown so some something sort
suggest suggestion suggestions sure tell than thank thanks that that's the their them then there these they thing
things this those to today tonight too top try under up us very want was watch watched we well were what what's when
where which while who whose will with without would yes yet you your year years made directed starring between before
after since until minutes minute hours hour long short longer shorter less least greater at's lately evening weekend
hello hi hey book books game games product products read buy play title titles enjoy enjoyed hate hated dislike don't
didn't never nothing except avoid instead actually still surprise whatever else another different start forget ignore
any drop i've seen stuff made's decade country director actor cast fan similar style such along lines
"""
_FILLER = frozenset(_FILLER_EN.split())


def is_filler(word: str) -> bool:
    """Whether a word needs no link to the catalog."""
    plain = word.casefold().replace("’", "'")
    return plain in _FILLER or plain.endswith("n't") or plain.isdigit()


def number(text: str) -> int:
    return NUMBERS.get(text.lower()) or int(text)

// What the page says, in English and Chinese. Titles, values and names of the catalog are shown as they are.

const EN = {
  skip: "Skip to the recommendations", tagline: "recommends by writing the next item, and says why",
  viewer: "Viewer", language: "中文", languageLabel: "Switch to Chinese", theme: "Colours", auto: "as the system", light: "light", dark: "dark",
  tabTalk: "For you", tabTune: "Wishes", tabHistory: "History", tabs: "Parts of the page",
  forYou: "For you", popular: "What most people chose", understoodAs: "As understood",
  popularWhy: "There is no history yet. Like something, or search for a title you know, and watch the list move.",
  ask: "Say what you are in the mood for", askLabel: "Your wish", send: "Send", thinking: "Looking …",
  tryThis: "Try", you: "You", like: "Like", dislike: "Not for me", later: "Not now", liked: "Liked", why: "Why", more: "More", less: "Less",
  restsOn: "Rests on", score: "score", newHere: "new", up: "up {n}", down: "down {n}", more_why: "Why not another one?",
  moved: "The list changed: {fresh} new, {moved} moved.", same: "The list stays as it is.",
  empty: "Nothing is left to recommend.", noMatch: "Nothing meets all of these wishes together.", relax: "Without {rules}, {count} would be left.", drop: "Drop {rule}",
  earlier: "Shown before", degraded: "The language model is not available: the order is that of the priors.",
  counter: "As if you had not chosen {names}", putBack: "Put back", gone: "No longer in the list: {names}", came: "In their place: {names}", noDifference: "The same items: it does not hang on that.",
  asideNote: "Set aside for now: {n}", bringBack: "Bring back",
  wishes: "What I understood", wishesNone: "Nothing yet. Say something, or add a rule.", addRule: "Add a rule", forget: "Forget all", unlinked: "Not in this catalog, so left aside: {names}", taken: "Read {a} as {b}",
  held_liked: "like", held_disliked: "nothing like", held_seen: "seen", held_traits: "fond of", held_untraits: "rather not", held_moods: "mood", held_unmoods: "not", held_surprise: "surprise me", held_count: "{n} items", held_shown: "{n} shown before stay away",
  remove: "Remove {what}", editRule: "Change {what}", field: "Field", op: "Relation", value: "Value", apply: "Apply", cancel: "Cancel",
  tune: "Tune", tuneWhy: "How much each source of knowledge weighs beside the language model. The list follows at once.", reset: "As trained", diversity: "Variety", fewer: "Items",
  popularity: "Popular", recent: "Popular lately", content: "Alike in words", collaborative: "Chosen together", sequence: "Chosen next",
  history: "Your history", historyNone: "Nothing yet. What you like appears here.", inWindow: "The model reads {n} of {all}.", shownPart: "read by the model", leftOut: "not read", switch: "Count {title}", search: "Add a title you know", searchLabel: "Search the catalog", noneFound: "No such title.",
  erase: "Forget this viewer", eraseSure: "Remove all that is stored on {user}? This cannot be undone.", erased: "All that was stored is removed.",
  segment: "Interest {n}", now: "now", back: "as interest {n} again", sure: "{p} % sure", changed: "changed here", choices: "{n} choices", lessOf: "Less of {what}", showMore: "Show {n} more", timelineLabel: "{n} choices over time in {m} interests", noTimeline: "This key may not read stored histories.", profile: "Before that: {words}",
  kind_like: "liked", kind_dislike: "not for me", kind_view: "viewed", kind_click: "clicked", kind_purchase: "bought", kind_rating: "rated", kind_play: "played", kind_skip: "skipped",
  keyTitle: "A key, please", keyWhy: "The server answers only who has a key. It stays in this tab and is forgotten when you close it.", keyLabel: "API key", enter: "Enter", keyWrong: "This key does not open the page: it needs the scope recommend.",
  viewerTitle: "Whose recommendations?", viewerWhy: "Someone new, or a viewer that the server knows.", someone: "Someone new", viewerId: "Viewer’s id", events: "{n} choices", close: "Close", leave: "Forget the key",
  failed: "That did not work: {why}", again: "Try again", stored: "Noted.", lang_note: "", example_like: "I liked {title}", example_value: "{value}, please", example_years: "{value} before {year}", example_surprise: "Surprise me", bundle: "bundle", items: "{n} items", recommendation: "Recommendations",
};
const ZH = {
  skip: "跳到推荐", tagline: "逐步写出下一项，并说明理由",
  viewer: "用户", language: "English", languageLabel: "切换到英文", theme: "配色", auto: "跟随系统", light: "浅色", dark: "深色",
  tabTalk: "推荐", tabTune: "愿望", tabHistory: "历史", tabs: "页面分区",
  forYou: "为您推荐", popular: "大家选得最多的", understoodAs: "按理解到的要求",
  popularWhy: "还没有历史。喜欢几项，或搜索您知道的标题，列表就会随之变化。",
  ask: "说说您想要什么样的", askLabel: "您的愿望", send: "发送", thinking: "正在查找……",
  tryThis: "试试", you: "您", like: "喜欢", dislike: "不感兴趣", later: "暂不", liked: "已喜欢", why: "理由", more: "详情", less: "收起",
  restsOn: "依据", score: "得分", newHere: "新", up: "上升 {n} 位", down: "下降 {n} 位", more_why: "为什么不是别的？",
  moved: "列表变了：{fresh} 项新出现，{moved} 项移动。", same: "列表没有变化。",
  empty: "没有可推荐的了。", noMatch: "没有同时满足这些要求的。", relax: "去掉 {rules} 之后还有 {count} 项。", drop: "去掉 {rule}",
  earlier: "之前显示过", degraded: "语言模型暂时不可用：顺序由先验决定。",
  counter: "假如您没有选过 {names}", putBack: "恢复", gone: "不再出现：{names}", came: "取而代之：{names}", noDifference: "列表相同：结果不取决于它。",
  asideNote: "暂时放在一边：{n} 项", bringBack: "放回来",
  wishes: "我理解到的", wishesNone: "还没有。说点什么，或添加一条规则。", addRule: "添加规则", forget: "全部忘掉", unlinked: "目录里没有，因此未考虑：{names}", taken: "把 {a} 理解为 {b}",
  held_liked: "类似", held_disliked: "不要像", held_seen: "看过", held_traits: "偏爱", held_untraits: "尽量不要", held_moods: "氛围", held_unmoods: "不要", held_surprise: "给我惊喜", held_count: "{n} 项", held_shown: "{n} 项显示过的不再出现",
  remove: "去掉 {what}", editRule: "修改 {what}", field: "字段", op: "关系", value: "值", apply: "应用", cancel: "取消",
  tune: "调节", tuneWhy: "语言模型之外，各种知识来源占多大分量。列表立即随之变化。", reset: "恢复训练值", diversity: "多样性", fewer: "项数",
  popularity: "热门", recent: "近期热门", content: "文字相近", collaborative: "常一起被选", sequence: "常接着被选",
  history: "您的历史", historyNone: "还没有。您喜欢的会出现在这里。", inWindow: "模型读取 {all} 项中的 {n} 项。", shownPart: "模型会读", leftOut: "不读", switch: "计入 {title}", search: "添加您知道的标题", searchLabel: "搜索目录", noneFound: "没有这个标题。",
  erase: "忘掉这位用户", eraseSure: "删除关于 {user} 的全部存储？无法撤销。", erased: "存储的内容已全部删除。",
  segment: "兴趣 {n}", now: "现在", back: "又回到兴趣 {n}", sure: "{p}% 把握", changed: "在此改变", choices: "{n} 次选择", lessOf: "少一些 {what}", showMore: "再显示 {n} 项", timelineLabel: "{n} 次选择，{m} 段兴趣", noTimeline: "这个密钥不能读取存储的历史。", profile: "更早：{words}",
  kind_like: "喜欢", kind_dislike: "不感兴趣", kind_view: "看过", kind_click: "点过", kind_purchase: "买过", kind_rating: "评过分", kind_play: "播放过", kind_skip: "跳过",
  keyTitle: "请输入密钥", keyWhy: "服务器只回答有密钥的人。密钥只留在这个标签页，关闭即忘。", keyLabel: "API 密钥", enter: "进入", keyWrong: "这个密钥打不开页面：需要 recommend 权限。",
  viewerTitle: "为谁推荐？", viewerWhy: "一位新用户，或服务器认识的用户。", someone: "新用户", viewerId: "用户编号", events: "{n} 次选择", close: "关闭", leave: "忘掉密钥",
  failed: "没有成功：{why}", again: "再试一次", stored: "已记下。", lang_note: "", example_like: "我喜欢 {title}", example_value: "想要 {value}", example_years: "{year} 年以前的 {value}", example_surprise: "随便", bundle: "模型包", items: "{n} 项", recommendation: "推荐",
};
const SAID = { en: EN, zh: ZH };
const KEPT = "genrec-language";

let language = localStorage.getItem(KEPT) ?? (navigator.language.startsWith("zh") ? "zh" : "en");
document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";

/** t("up", {n: 2}): what the page says; an unknown word is a mistake of the page, so it shows as it is. */
export function t(word, values = {}) {
  return (SAID[language][word] ?? word).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export const spoken = () => language;

let fields = new Map();
/** Facts that are made of a field, and so are none of the catalog's. */
const DERIVED = { decade: { en: "decade", zh: "年代" } };

/** What the catalog's fields are called in other languages. */
export function nameFields(said) {
  fields = new Map(said.map((one) => [one.name, one.names]));
}

export const fieldName = (name) => (fields.get(name) ?? DERIVED[name])?.[language] ?? name;
export const knows = (word) => word in EN;

export function speak(next) {
  language = next;
  localStorage.setItem(KEPT, next);
  document.documentElement.lang = next === "zh" ? "zh-Hans" : "en";
}

export const day = (seconds) =>
  new Date(1000 * seconds).toLocaleDateString(language === "zh" ? "zh-CN" : "en-GB", { year: "numeric", month: "short", day: "numeric" });
export const number = (value, digits = 0) => value.toLocaleString(language === "zh" ? "zh-CN" : "en-GB", { maximumFractionDigits: digits, minimumFractionDigits: digits });
export const joined = (names) => names.join(language === "zh" ? "、" : ", ");

const OPS = { "=": "=", "!=": "≠", "<": "<", "<=": "≤", ">": ">", ">=": "≥", between: "…", in: "∈", "not in": "∉" };
export const operators = OPS;

/** A rule as people read it: `genres: Horror`, `year ≥ 1990`, `not genres: Drama`. */
export function ruleWords(rule) {
  const value = Array.isArray(rule.value) ? rule.value : [rule.value];
  if (rule.op === "between") return `${fieldName(rule.field)} ${value[0]} – ${value[1]}`;
  if (rule.op === "=" || rule.op === "in") return `${fieldName(rule.field)}: ${value.join(" / ")}`;
  if (rule.op === "!=" || rule.op === "not in") return `${fieldName(rule.field)} ≠ ${value.join(" / ")}`;
  return `${fieldName(rule.field)} ${OPS[rule.op]} ${value[0]}`;
}

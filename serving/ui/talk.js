// The conversation: what was said, the list that is live, and the line to write in.

import { slateList } from "./cards.js";
import { byId, h, icon, slide } from "./dom.js";
import { hear, holding, mainField, state, titleOf } from "./state.js";
import { joined, ruleWords, t } from "./words.js";
import * as work from "./work.js";

let box; // the line to write in: one element for good, so that nothing disturbs who is typing
let held; // the stream above it

export function start() {
  held = h("div.stream", { id: "stream" });
  byId("talk").replaceChildren(held, composer());
  hear("slate cards turns held error language user busy", draw);
  hear("slate turns language user about", suggest);
  hear("stream", stream);
}

function draw() {
  const focused = focusPath(held);
  slide(held, () => held.replaceChildren(...parts()));
  restore(held, focused);
}

function parts() {
  const turns = state.turns.map((turn, place) => (turn.role === "you" ? mine(turn) : answer(turn, place === state.turns.length - 1)));
  return [h("h1.visually-hidden", "genrec"), ...turns, live()];
}

const mine = (turn) => h("div.you", h("span.visually-hidden", `${t("you")}: `), h("p", turn.text));

function answer(turn, last) {
  if (turn.titles && !last) return h("details.earlier", h("summary", t("earlier"), " · ", turn.titles.length), h("p", joined(turn.titles)));
  if (turn.pending) return h("div.reply", h("p.pending", { id: "streamed" }, turn.text || t("thinking")));
  return h("div.reply", words(turn).map((line) => h("p", line)));
}

/** Of an answer in words, what is not the list itself: the cards show that. */
function words(turn) {
  return turn.text.split("\n").filter((line) => line && !/^\s*\d{1,3}\.\s/.test(line));
}

function stream() {
  const place = byId("streamed");
  const turn = state.turns.at(-1);
  if (place && turn) place.replaceChildren(...turn.text.split("\n").map((line) => h("span.line", line)));
}

function live() {
  const slate = state.slate;
  return h("section.live", { "aria-labelledby": "live", "aria-busy": String(state.busy) }, heading(slate), banner(), trouble(slate),
    slate ? (slate.items.length ? slateList(slate) : null) : waiting());
}

function heading(slate) {
  const cold = slate && !holding() && slate.window.shown === 0;
  const name = holding() ? t("understoodAs") : cold ? t("popular") : t("forYou");
  return [h("h2", { id: "live", class: state.turns.length ? "visually-hidden" : "live-title" }, name), cold && h("p.hint", t("popularWhy"))];
}

const waiting = () => h("ol.slate.waiting", { "aria-hidden": "true" }, [1, 2, 3].map(() => h("li.card.ghost")));

function banner() {
  const parts = [];
  if (state.without.size) parts.push(counterfactual());
  if (state.aside_items.size) parts.push(h("div.banner.plain", h("span", t("asideNote", { n: state.aside_items.size })), h("button.link", { type: "button", onclick: work.bringBack }, t("bringBack"))));
  return parts;
}

function counterfactual() {
  const now = new Set(state.slate?.items.map((one) => one.id));
  const before = new Set(state.factual.map((one) => one.id));
  const gone = state.factual.filter((one) => !now.has(one.id)).map((one) => one.title);
  const came = (state.slate?.items ?? []).filter((one) => !before.has(one.id)).map((one) => one.title);
  return h("div.banner", { id: "counterfactual" }, icon("eye"),
    h("div", h("strong", t("counter", { names: joined([...state.without].map(titleOf)) })),
      gone.length > 0 && h("p", t("gone", { names: joined(gone) })), came.length > 0 && h("p", t("came", { names: joined(came) })),
      gone.length + came.length === 0 && h("p", t("noDifference"))),
    h("button.link", { type: "button", onclick: work.putBack }, icon("undo"), t("putBack")));
}

function trouble(slate) {
  if (state.error) return h("div.banner.bad", { role: "alert" }, h("span", t("failed", { why: state.error })), h("button.link", { type: "button", onclick: () => work.refresh() }, t("again")));
  if (slate?.no_match) return noMatch(slate.no_match);
  if (slate && !slate.items.length) return h("div.banner.plain", t("empty"));
  if (slate?.degraded && slate.window.shown > 0) return h("div.banner.plain", t("degraded"));
  return null;
}

function noMatch(found) {
  const rules = found.relax.map(ruleWords);
  const drop = (held) => {
    const gone = new Set(found.relax.map((rule) => JSON.stringify(rule)));
    held.rules = held.rules.filter((rule) => !gone.has(JSON.stringify(rule)));
  };
  return h("div.banner.plain", h("span", t("noMatch"), " ", rules.length ? t("relax", { rules: joined(rules), count: found.would_leave }) : ""),
    rules.length > 0 && h("button.link", { type: "button", onclick: () => work.hold(drop) }, t("drop", { rule: joined(rules) })));
}

function composer() {
  box = h("textarea.box", { id: "box", rows: 1, maxlength: 2000, enterkeyhint: "send", onkeydown: (press) => {
    if (press.key === "Enter" && !press.shiftKey && !press.isComposing) {
      press.preventDefault();
      send(box.value);
    }
  } });
  return h("form.composer", { onsubmit: (sent) => {
    sent.preventDefault();
    send(box.value);
  } }, h("div.tries", { id: "tries" }), h("div.line-in", box, h("button.send", { type: "submit", id: "send" }, icon("send"))));
}

/** What stands round the line: its words, and before the first message things to say. */
function suggest() {
  box.placeholder = t("ask");
  box.setAttribute("aria-label", t("askLabel"));
  byId("send").setAttribute("aria-label", t("send"));
  byId("tries").replaceChildren(...(state.turns.length ? [] : examples()));
}

function send(text) {
  if (!text.trim()) return;
  box.value = "";
  work.say(text.trim());
  byId("box").focus();
}

/** Things to say that this catalog understands, made of its own words. */
function examples() {
  const years = state.about?.fields.find((one) => one.whole && one.low > 1000 && one.high < 2200);
  const values = mainField()?.values ?? [];
  const first = state.slate?.items[0];
  const said = [
    first && t("example_like", { title: first.title }),
    values[2] && (years ? t("example_years", { value: values[2], year: Math.round((years.low + 2 * years.high) / 3 / 10) * 10 }) : t("example_value", { value: values[2] })),
    t("example_surprise"),
  ].filter(Boolean);
  return [h("span.tries-label", t("tryThis")), ...said.map((one) => h("button.try", { type: "button", onclick: () => send(one) }, one))];
}

/** Where the focus is, told by what it is on, so that drawing anew does not lose it. */
function focusPath(place) {
  const at = document.activeElement;
  if (!at || !place.contains(at)) return null;
  if (at.id) return { id: at.id, from: at.selectionStart, to: at.selectionEnd };
  const item = at.closest("[data-item]");
  if (!item) return null;
  return { item: item.dataset.item, index: [...item.querySelectorAll("button")].indexOf(at) };
}

function restore(place, path) {
  if (!path) return;
  if (path.id) {
    const at = byId(path.id);
    at?.focus({ preventScroll: true });
    if (at && path.from !== undefined && path.from !== null) at.setSelectionRange(path.from, path.to);
    return;
  }
  const item = place.querySelector(`[data-item="${CSS.escape(path.item)}"]`) ?? place.querySelector("[data-item]");
  const buttons = item?.querySelectorAll("button") ?? [];
  buttons[Math.min(Math.max(0, path.index), buttons.length - 1)]?.focus({ preventScroll: true });
}


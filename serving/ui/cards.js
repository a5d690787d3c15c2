// The list of items: title, facts, reason, the evidence that it rests on, and what can be said to it.

import * as api from "./api.js";
import { h, icon } from "./dom.js";
import { mainField, may, reasonsIn, state, tell, titleOf } from "./state.js";
import { fieldName, number, spoken, t } from "./words.js";
import * as work from "./work.js";

const FACTS = 3; // values of a list that a card shows
const open = new Set(); // ids of the items whose details are shown
let pinned = new Set(); // choices that stay lit when the pointer has left: those of the evidence that was clicked last
const told = new Map(); // language and item id → the long explanation

export function slateList(slate) {
  return h("ol.slate", { "aria-label": t("recommendation") }, slate.items.map((item) => card(item, slate)));
}

function card(item, slate) {
  const known = state.cards.get(item.id) ?? { fields: {} };
  const title = h("h3.card-title", { id: `title-${item.rank}` }, item.title);
  return h("li.card", { "data-key": item.id, "data-item": item.id },
    h("article.card-body", { "aria-labelledby": `title-${item.rank}` },
      cover(item, known.fields),
      h("div.card-main",
        h("div.card-head", h("span.rank", { "aria-hidden": "true" }, item.rank), title, move(item.id)),
        facts(known.fields),
        item.explanation && h("p.why", { lang: reasonsIn(), class: item.stale ? "why stale" : "why" }, item.explanation),
        chips(item),
        open.has(item.id) && details(item, known.fields)),
      actions(item)));
}

/** A picture made of what kind of item it is, for catalogs have none: the same item always looks the same. */
function cover(item, fields) {
  const named = fields[mainField()?.name];
  const hue = hash(String(named === undefined ? item.title : [named].flat()[0])) % 360;
  const letters = item.title.replace(/^(the|a|an)\s+/i, "").split(/\s+/).slice(0, 2).map((word) => [...word][0] ?? "").join("");
  return h("div.cover", { "--hue": hue, "--turn": `${hash(item.id) % 180}deg`, "aria-hidden": "true" }, h("span", letters.toUpperCase()));
}

function hash(text) {
  let value = 7;
  for (const sign of text) value = (value * 31 + sign.codePointAt(0)) % 1000003;
  return value;
}


export function move(id) {
  const moved = state.moves.get(id);
  if (moved === undefined) return null;
  if (moved === "new") return h("span.move.fresh", t("newHere"));
  const label = t(moved > 0 ? "up" : "down", { n: Math.abs(moved) });
  return h("span.move", { class: moved > 0 ? "move rose" : "move fell", title: label }, h("span", { "aria-hidden": "true" }, moved > 0 ? `▲ ${moved}` : `▼ ${-moved}`), h("span.visually-hidden", label));
}

function facts(fields) {
  const shown = state.about.fields.filter((one) => !one.prose && fields[one.name] !== undefined && fields[one.name] !== "").slice(0, 4);
  if (!shown.length) return null;
  return h("dl.facts", shown.map((one) => h("div", h("dt", fieldName(one.name)), h("dd", valueWords(fields[one.name], FACTS)))));
}

function valueWords(value, most = Infinity) {
  if (!Array.isArray(value)) return String(value);
  return value.slice(0, most).join(", ") + (value.length > most ? " …" : "");
}

/** One chip for each piece of evidence; on it rest sentences, and it rests on choices, which light up. */
function chips(item) {
  const pieces = (item.evidence?.pieces ?? []).filter((piece) => piece.kind === "interaction" || piece.kind === "fact");
  if (!pieces.length) return null;
  return h("div.rests", h("span.rests-label", t("restsOn")), h("ul.chips", pieces.map((piece) => h("li", chip(item, piece)))));
}

function chip(item, piece) {
  const choices = piece.items.filter((id) => id !== item.id);
  const isChoice = piece.kind === "interaction";
  const pressed = choices.length > 0 && choices.every((id) => state.lit.has(id));
  const light = () => tell("lit", { lit: new Set(choices) });
  const dim = () => tell("lit", { lit: pinned });
  return h("button.chip", {
    type: "button", class: isChoice ? "chip pick" : "chip", "aria-pressed": String(pressed), "data-rests": choices.join(" "),
    onmouseenter: light, onmouseleave: dim, onfocus: light, onblur: dim,
    onclick: () => pin(choices),
  }, isChoice ? icon("link") : null, isChoice ? titleOf(choices[0] ?? piece.items[0]) : [h("span.chip-field", fieldName(piece.field)), " ", piece.value]);
}

/** A second click lets go. */
function pin(choices) {
  const again = pinned.size === choices.length && choices.every((id) => pinned.has(id));
  pinned = new Set(again ? [] : choices);
  tell(again ? "lit" : "lit reveal", { lit: pinned });
}

function actions(item) {
  const liked = state.known?.timeline.some((one) => one.item_id === item.id && one.kind === "like");
  const button = (name, act, label, extra = {}) => h("button.act", { type: "button", title: label, "aria-label": `${label}: ${item.title}`, onclick: act, ...extra }, icon(name), h("span.act-word", label));
  return h("div.acts",
    may("events") && button("heart", () => work.feedback(item.id, "like"), t("like"), { "aria-pressed": String(Boolean(liked)), class: "act like" }),
    may("events") && button("down", () => work.feedback(item.id, "dislike"), t("dislike")),
    button("clock", () => work.setAside(item.id), t("later")),
    button("chevron", () => toggle(item), open.has(item.id) ? t("less") : t("more"), { "aria-expanded": String(open.has(item.id)), class: "act more" }));
}

async function toggle(item) {
  if (open.delete(item.id)) return tell("cards");
  open.add(item.id);
  tell("cards");
  if (!state.known?.shown.length) return;
  try {
    const found = await api.explain({ user_id: state.user, items: [item.id], length: "long", language: spoken() });
    told.set(`${spoken()} ${item.id}`, found.items[0]);
    const ids = found.items[0].evidence.pieces.flatMap((piece) => piece.items).filter((id) => !state.cards.has(id));
    if (ids.length) (await api.items([...new Set(ids)])).items.forEach((one) => state.cards.set(one.id, one));
  } catch {
    return; // the short reason stands
  }
  tell("cards");
}

function details(item, fields) {
  const prose = state.about.fields.filter((one) => one.prose && fields[one.name]);
  const rest = state.about.fields.filter((one) => !one.prose && fields[one.name] !== undefined);
  const words = told.get(`${spoken()} ${item.id}`);
  return h("div.details",
    prose.map((one) => h("p.prose", { lang: state.about.language }, fields[one.name])),
    words && h("ul.statements", { lang: reasonsIn() }, words.evidence.statements.map((one) => h("li", one.text))),
    h("dl.all-facts", rest.map((one) => h("div", h("dt", fieldName(one.name)), h("dd", valueWords(fields[one.name])))),
      h("div", h("dt", t("score")), h("dd", number(item.score, 2)))));
}


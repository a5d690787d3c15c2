// The history: over time, by interest, with what the model reads of it, and a switch on every choice.

import * as api from "./api.js";
import { byId, h, icon, later, svg } from "./dom.js";
import { hear, may, state, tell } from "./state.js";
import { day, fieldName, joined, ruleWords, t } from "./words.js";
import * as work from "./work.js";

const FEW = 25; // choices that are shown at first
let most = FEW;
let found = null; // of a search; null: none
let searching = null;

export function start() {
  hear("history language user", draw);
  hear("lit", light);
  hear("reveal", reveal);
}

export const past = () => h("section.panel", { id: "past", "aria-labelledby": "past-title" });

function draw() {
  const place = byId("past");
  if (!place) return;
  const focused = document.activeElement?.id;
  const text = byId("search")?.value ?? "";
  place.replaceChildren(...parts());
  if (byId("search")) byId("search").value = text;
  if (focused && place.querySelector(`#${CSS.escape(focused)}`)) byId(focused).focus({ preventScroll: true });
  light();
}

function parts() {
  const known = state.known;
  return [
    h("div.panel-head", h("h2", { id: "past-title" }, t("history")), known?.timeline.length ? h("span.muted", t("inWindow", { n: known.window.shown, all: known.timeline.length })) : null),
    may("events") && searchBox(),
    !may("admin") ? h("p.muted", t("noTimeline")) : !known?.timeline.length ? h("p.muted", t("historyNone")) : [strip(known), groups(known)],
    known?.window.profile && h("p.muted.profile", t("profile", { words: known.window.profile })),
    known?.timeline.length ? h("button.link.erase", { type: "button", onclick: () => confirm(t("eraseSure", { user: state.user })) && work.eraseUser() }, icon("trash"), t("erase")) : null,
  ].flat(3).filter(Boolean);
}

/** For every choice the place of its interest; without interests all are of one. */
function interests(known) {
  const ends = (state.segments ?? []).map((one) => one.end);
  return known.timeline.map((one) => {
    const place = ends.findIndex((end) => one.timestamp <= end);
    return place < 0 ? Math.max(0, ends.length - 1) : place;
  });
}

/** One interest that came back has the colour that it had. */
function colour(place) {
  const back = state.segments?.[place]?.returns_to;
  return (back ?? place) % 6;
}

const WIDE = 340, HIGH = 64;

/** The choices as dots along time, coloured by interest; lines where it changed; a bar over what the model reads. */
function strip(known) {
  const all = known.timeline;
  const places = interests(known);
  const x = (index) => 8 + ((WIDE - 16) * index) / Math.max(1, all.length - 1);
  const shown = new Set(known.shown);
  const last = new Map(all.map((one, index) => [one.item_id, index]));
  const read = all.map((one, index) => shown.has(one.item_id) && last.get(one.item_id) === index);
  const first = read.indexOf(true);
  const changes = places.map((one, index) => index > 0 && one !== places[index - 1]).map((is, index) => is && index).filter((one) => one !== false);
  return h("figure.strip",
    svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": t("timelineLabel", { n: all.length, m: new Set(places).size }) },
      first >= 0 && svg("rect", { class: "window", x: x(first) - 5, y: 10, width: x(all.length - 1) - x(first) + 10, height: HIGH - 28, rx: 6 }),
      changes.map((index) => svg("g", { class: "change" }, svg("line", { x1: (x(index) + x(index - 1)) / 2, x2: (x(index) + x(index - 1)) / 2, y1: 4, y2: HIGH - 14 }), svg("title", {}, `${t("changed")} · ${day(all[index].timestamp)}`))),
      all.map((one, index) => svg("circle", { class: `dot c${colour(places[index])}${one.kind === "dislike" ? " no" : ""}`, "data-dot": one.item_id, cx: x(index), cy: 28 + (7 * ((index * 5) % 3) - 7), r: all.length > 80 ? 2.6 : 4.2 }, svg("title", {}, `${one.title ?? one.item_id} · ${day(one.timestamp)}`)))),
    h("figcaption", h("span", day(all[0].timestamp)), h("span.window-word", t("shownPart")), h("span", day(all.at(-1).timestamp))));
}

function groups(known) {
  const places = interests(known);
  const newest = known.timeline.map((one, index) => ({ ...one, index, place: places[index] })).reverse().slice(0, most);
  const shown = new Set(known.shown);
  const out = [];
  for (const one of newest) {
    if (out.at(-1)?.place !== one.place) out.push({ place: one.place, rows: [] });
    out.at(-1).rows.push(one);
  }
  return [
    ...out.map((group) => h("section.interest", { class: `interest c${colour(group.place)}` }, state.segments?.length ? head(group.place) : null, h("ul.choices", group.rows.map((one) => choice(one, shown))))),
    known.timeline.length > most && h("button.link", { type: "button", onclick: () => ((most += 50), draw()) }, t("showMore", { n: Math.min(50, known.timeline.length - most) })),
  ];
}

function head(place) {
  const one = state.segments[place];
  const notes = [
    place === state.segments.length - 1 ? t("now") : `${day(one.start)} – ${day(one.end)}`, t("choices", { n: one.choices }),
    one.returns_to !== null && t("back", { n: one.returns_to + 1 }), one.confidence !== null && t("sure", { p: Math.min(99, Math.floor(100 * one.confidence)) }),
  ].filter(Boolean);
  return h("header.interest-head", h("h3", h("span.swatch", { "aria-hidden": "true" }), t("segment", { n: place + 1 })), h("p.muted", notes.join(" · ")),
    h("ul.facts-row", one.facts.slice(0, 4).map(([field, value]) => h("li", h("button.fact-less", { type: "button", title: t("lessOf", { what: value }), "aria-label": t("lessOf", { what: value }), onclick: () => less(field, value) }, h("span.chip-field", fieldName(field)), " ", value)))));
}

/** The person's own word on an interest: what has this fact ranks lower. */
function less(field, value) {
  const rule = { field, op: "=", value };
  work.hold((held) => held.disliked_traits.some((one) => ruleWords(one) === ruleWords(rule)) || held.disliked_traits.push(rule));
}

function choice(one, shown) {
  const read = shown.has(one.item_id);
  const counts = !state.without.has(one.item_id);
  const title = one.title ?? one.item_id;
  const id = `choice-${one.index}`;
  return h("li.choice", { "data-choice": one.item_id, class: `choice${read ? "" : " unread"}${counts ? "" : " off"}` },
    h("span.bead", { "aria-hidden": "true" }),
    h("div.choice-words", h("span.choice-title", title), h("span.muted", [t(`kind_${one.kind}`), day(one.timestamp), read || one.kind === "dislike" ? null : t("leftOut")].filter(Boolean).join(" · "))),
    read ? h("button.switch", { type: "button", role: "switch", id, "aria-checked": String(counts), "aria-label": t("switch", { title }), title: t("switch", { title }), onclick: () => work.toggle(one.item_id) }, h("span.knob")) : null);
}

function light() {
  for (const one of document.querySelectorAll("[data-choice], [data-dot]")) {
    one.classList.toggle("lit", state.lit.has(one.dataset.choice ?? one.dataset.dot));
  }
  for (const one of document.querySelectorAll("[data-rests]")) {
    const rests = one.dataset.rests.split(" ").filter(Boolean);
    one.setAttribute("aria-pressed", String(rests.length > 0 && state.lit.size > 0 && rests.every((id) => state.lit.has(id))));
  }
}

/** The choices that a piece of evidence rests on, brought into sight. */
function reveal() {
  const wanted = state.known?.timeline.findLastIndex((one) => state.lit.has(one.item_id)) ?? -1;
  if (wanted < 0) return;
  const needed = state.known.timeline.length - wanted;
  if (needed > most) {
    most = needed;
    draw();
  }
  document.body.dataset.room = "past";
  tell("room");
  document.querySelector("[data-choice].lit")?.scrollIntoView({ block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

function searchBox() {
  const box = h("input.search", { id: "search", type: "search", placeholder: t("search"), "aria-label": t("searchLabel"), autocomplete: "off", maxlength: 100, oninput: () => look(box.value) });
  return h("div.searching", box, h("ul.found", { id: "found" }, hits()));
}

const look = later(async (words) => {
  searching?.abort();
  searching = new AbortController();
  try {
    found = words.trim() ? (await api.search(words.trim(), searching.signal)).items : null;
  } catch {
    return;
  }
  found?.forEach((one) => state.cards.set(one.id, one));
  byId("found")?.replaceChildren(...hits());
}, 160);

function hits() {
  if (found === null) return [];
  if (!found.length) return [h("li.muted", t("noneFound"))];
  return found.map((one) => h("li.hit", h("div", h("span.choice-title", one.title), h("span.muted", summary(one))),
    h("button.act.like", { type: "button", "aria-label": `${t("like")}: ${one.title}`, title: t("like"), onclick: () => add(one) }, icon("heart"))));
}

function summary(one) {
  const fields = state.about.fields.filter((field) => !field.prose && one.fields[field.name] !== undefined).slice(0, 2);
  return joined(fields.map((field) => [one.fields[field.name]].flat().slice(0, 2).join(" / ")));
}

function add(one) {
  found = null;
  byId("search").value = "";
  work.feedback(one.id, "like");
}


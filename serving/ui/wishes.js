// What was understood, to be read and changed by hand, and the weights behind the list.

import { move } from "./cards.js";
import { byId, h, icon, later } from "./dom.js";
import { hear, holding, nothingHeld, state, tell, titleOf } from "./state.js";
import { fieldName, joined, knows, number, operators, ruleWords, t } from "./words.js";
import * as work from "./work.js";

const NUMBERS = ["=", "<", "<=", ">", ">=", "!="];
const NAMES = ["=", "!="];
let editing = null; // place of the rule that is being changed; −1: a new one

export function start() {
  hear("held slate language user", drawWishes);
  hear("about language weights user", drawTune);
  hear("slate language", drawGlance);
}

export const wishes = () => h("section.panel", { id: "wishes", "aria-labelledby": "wishes-title" });
export const tune = () => h("section.panel", { id: "tune", "aria-labelledby": "tune-title" });

export const glance = () => h("section.panel.glance", { id: "glance", "aria-labelledby": "glance-title" });

/** The list in few words, for a screen too narrow to show it beside the sliders. */
function drawGlance() {
  const rows = (state.slate?.items ?? []).map((one) => h("li", h("span.rank", `${one.rank}`), h("span", one.title), move(one.id)));
  byId("glance")?.replaceChildren(h("h2", { id: "glance-title" }, t("recommendation")), h("ol", rows));
}

function drawWishes() {
  const place = byId("wishes");
  if (!place || document.activeElement?.closest("form.rule")) return;
  const focused = place.contains(document.activeElement);
  place.replaceChildren(...wishParts().filter(Boolean));
  if (focused) byId("add-rule")?.focus({ preventScroll: true });
}

function wishParts() {
  const held = state.held ?? nothingHeld();
  const chips = [...things(held), ...rules(held), ...leanings(held), ...rest(held)];
  return [
    h("div.panel-head", h("h2", { id: "wishes-title" }, t("wishes")), holding() && h("button.link", { type: "button", onclick: work.forget }, t("forget"))),
    chips.length ? h("ul.wishes", chips.map((one) => h("li", one))) : h("p.muted", t("wishesNone")),
    aside(),
    editing !== null ? ruleForm(held) : h("button.add", { type: "button", id: "add-rule", onclick: () => edit(-1) }, icon("plus"), t("addRule")),
  ];
}

function chip(label, what, gone, extra = null, kind = "") {
  return h(`span.wish${kind && `.${kind}`}`, label && h("span.wish-label", label), extra ?? h("span", what),
    h("button.x", { type: "button", "aria-label": t("remove", { what: `${label} ${what}`.trim() }), onclick: () => work.hold(gone) }, icon("close")));
}

const dropping = (list, value) => (held) => {
  held[list] = held[list].filter((one) => JSON.stringify(one) !== JSON.stringify(value));
};

function things(held) {
  return [["liked", "good"], ["disliked", "bad"], ["seen", ""]].flatMap(([list, kind]) =>
    held[list].map((id) => chip(t(`held_${list}`), titleOf(id), dropping(list, id), null, kind)));
}

function rules(held) {
  return held.rules.map((rule, place) => chip("", ruleWords(rule), (now) => now.rules.splice(place, 1),
    h("button.wish-edit", { type: "button", "aria-label": t("editRule", { what: ruleWords(rule) }), onclick: () => edit(place) }, ruleWords(rule), icon("edit")), "ruled"));
}

function leanings(held) {
  return [
    ...held.liked_traits.map((rule) => chip(t("held_traits"), ruleWords(rule), dropping("liked_traits", rule), null, "good")),
    ...held.disliked_traits.map((rule) => chip(t("held_untraits"), ruleWords(rule), dropping("disliked_traits", rule), null, "bad")),
    ...held.moods.map((mood) => chip(t("held_moods"), mood, dropping("moods", mood), null, "good")),
    ...held.unwanted_moods.map((mood) => chip(t("held_unmoods"), mood, dropping("unwanted_moods", mood), null, "bad")),
  ];
}

function rest(held) {
  return [
    held.surprise && chip("", t("held_surprise"), (now) => (now.surprise = false)),
    held.count !== null && chip("", t("held_count", { n: held.count }), (now) => (now.count = null)),
    held.shown.length > 0 && chip("", t("held_shown", { n: held.shown.length }), (now) => (now.shown = [])),
  ].filter(Boolean);
}

function aside() {
  const taken = Object.entries(state.aside.taken).map(([a, b]) => h("p.muted", t("taken", { a, b })));
  const lost = state.aside.unlinked.length ? h("p.muted", t("unlinked", { names: joined(state.aside.unlinked) })) : null;
  return [taken, lost].flat().filter(Boolean).length ? h("div.aside", taken, lost) : null;
}

function edit(place) {
  editing = place;
  byId("wishes").replaceChildren(...wishParts().filter(Boolean));
  byId(place >= 0 ? "rule-value" : "rule-field")?.focus();
}

function ruleForm(held) {
  const fields = state.about.fields.filter((one) => !one.prose && one.kind !== "flag");
  const rule = held.rules[editing] ?? { field: fields[0]?.name, op: "=", value: "" };
  const field = h("select", { id: "rule-field" }, fields.map((one) => h("option", { value: one.name }, fieldName(one.name))));
  const op = h("select", { id: "rule-op" });
  const value = h("input", { id: "rule-value", list: "rule-values", required: true, autocomplete: "off", maxlength: 200 });
  const values = h("datalist", { id: "rule-values" });
  const fit = () => fitted(fields.find((one) => one.name === field.value), op, value, values);
  field.value = rule.field;
  field.addEventListener("change", fit);
  fit();
  op.value = op.querySelector(`[value="${rule.op}"]`) ? rule.op : "=";
  value.value = Array.isArray(rule.value) ? joined(rule.value) : rule.value;
  const close = () => edit(null);
  return h("form.rule", { onsubmit: (sent) => {
    sent.preventDefault();
    taken(field.value, op.value, value.value);
  }, onkeydown: (press) => press.key === "Escape" && close() },
  labelled(t("field"), field), labelled(t("op"), op), labelled(t("value"), value), values,
  h("div.rule-acts", h("button.solid", { type: "submit" }, t("apply")), h("button.link", { type: "button", onclick: close }, t("cancel"))));
}

const labelled = (name, input) => h("label", h("span", name), input);

function fitted(field, op, value, values) {
  const isNumber = field?.kind === "number";
  op.replaceChildren(...(isNumber ? NUMBERS : NAMES).map((one) => h("option", { value: one }, operators[one])));
  value.type = isNumber ? "number" : "text";
  value.step = isNumber && field.whole ? "1" : "any";
  if (isNumber && field.low !== null) value.placeholder = `${field.low} – ${field.high}`;
  else value.placeholder = field?.values.slice(0, 2).join(", ") ?? "";
  values.replaceChildren(...(field?.values ?? []).map((one) => h("option", { value: one })));
}

async function taken(field, op, text) {
  const kind = state.about.fields.find((one) => one.name === field)?.kind;
  const rule = { field, op, value: kind === "number" ? Number(text) : text.trim() };
  const place = editing;
  editing = null;
  document.activeElement?.blur();
  await work.hold((held) => (place >= 0 ? held.rules.splice(place, 1, rule) : held.rules.push(rule)));
  byId("add-rule")?.focus();
}

function drawTune() {
  const place = byId("tune");
  if (!place || !state.about || place.contains(document.activeElement)) return;
  const priors = Object.keys(state.about.priors);
  const changed = Object.keys(state.weights).length > 0 || state.diversity > 0;
  place.replaceChildren(
    h("div.panel-head", h("h2", { id: "tune-title" }, t("tune")), h("button.link", { type: "button", id: "as-trained", hidden: !changed, onclick: reset }, t("reset"))),
    h("p.muted", t("tuneWhy")),
    h("div.slides", slider("diversity", t("diversity"), state.diversity, 1, (value) => (state.diversity = value)),
    ...priors.map((name) => slider(name, knows(name) ? t(name) : name, weight(name), Math.max(1.5, 2 * state.about.priors[name]), (value) => (state.weights[name] = value)))));
}

const weight = (name) => state.weights[name] ?? state.about.priors[name];

function slider(name, label, value, most, changed) {
  const shown = h("output", { for: `slide-${name}` }, number(value, 2));
  const input = h("input", { type: "range", id: `slide-${name}`, min: 0, max: most, step: 0.05, value: String(value), "--share": value / most, oninput: () => {
    changed(Number(input.value));
    shown.textContent = number(Number(input.value), 2);
    input.style.setProperty("--share", Number(input.value) / most);
    byId("as-trained").hidden = false;
    quick();
    rested();
  } });
  return h("div.slide", h("label", { for: `slide-${name}` }, label), shown, input);
}

const quick = later(() => work.refresh({ explain: false }), 60);
const rested = later(() => work.refresh({ quiet: true }), 650);

function reset() {
  document.activeElement?.blur();
  tell("weights", { weights: {}, diversity: 0 });
  work.refresh();
}

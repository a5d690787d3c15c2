// The head of the page, the tabs of a narrow one, and its dialogs: whose list, and the key.

import * as api from "./api.js";
import { byId, h, icon, svg } from "./dom.js";
import { hear, may, state, tell } from "./state.js";
import { number, speak, spoken, t } from "./words.js";
import * as work from "./work.js";

const THEMES = ["auto", "light", "dark"];
const KEPT = "genrec-theme";
let theme = localStorage.getItem(KEPT) ?? "auto";
let knownUsers = [];

export function start() {
  hear("language user about", draw);
  hear("room", tabs);
  hear("locked", () => keyDialog(t("keyWrong")));
  paint();
}

function paint() {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

function draw() {
  byId("skip").textContent = t("skip");
  const focused = document.activeElement?.id;
  byId("top").replaceChildren(
    h("div.brand", mark(), h("span.name", "genrec"), h("span.tagline", t("tagline"))),
    h("div.top-acts",
      h("button.pill", { type: "button", id: "viewer", onclick: viewerDialog, title: t("viewer"), "aria-label": `${t("viewer")}: ${state.user}` }, icon("person"), h("span.viewer-name", state.user)),
      h("button.round", { type: "button", id: "language", onclick: switchLanguage, "aria-label": t("languageLabel"), lang: spoken() === "en" ? "zh-Hans" : "en" }, t("language")),
      h("button.round", { type: "button", id: "theme", onclick: nextTheme, "aria-label": `${t("theme")}: ${t(theme)}`, title: `${t("theme")}: ${t(theme)}` }, icon({ auto: "half", light: "sun", dark: "moon" }[theme]))));
  tabs();
  if (focused && byId("top").querySelector(`#${CSS.escape(focused)}`)) byId(focused).focus();
}

function mark() {
  return svg("svg", { viewBox: "0 0 32 32", class: "mark", "aria-hidden": "true" },
    svg("rect", { width: 32, height: 32, rx: 9, class: "mark-ground" }),
    svg("path", { d: "M8 16h4M12 16c4 0 3-7 7-7h2", class: "mark-way" }), svg("path", { d: "M12 16h8M12 16c4 0 3 7 7 7h2", class: "mark-way faint" }),
    svg("circle", { cx: 8, cy: 16, r: 2.6, fill: "#fff" }), svg("circle", { cx: 23, cy: 9, r: 2.9, fill: "#ffd166" }),
    svg("circle", { cx: 23, cy: 16, r: 2.2, class: "mark-end" }), svg("circle", { cx: 23, cy: 23, r: 2.2, class: "mark-end" }));
}

function switchLanguage() {
  speak(spoken() === "en" ? "zh" : "en");
  tell("language");
}

function nextTheme() {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  localStorage.setItem(KEPT, theme);
  paint();
  draw();
}

function tabs() {
  const room = document.body.dataset.room ?? "talk";
  const one = (name, drawing, label) => h("button", { type: "button", "aria-pressed": String(room === name), onclick: () => {
    document.body.dataset.room = name;
    scrollTo({ top: 0 });
    tabs();
  } }, icon(drawing), h("span", label));
  byId("tabs").setAttribute("aria-label", t("tabs"));
  byId("tabs").replaceChildren(one("talk", "chat", t("tabTalk")), one("tune", "sliders", t("tabTune")), one("past", "clock", t("tabHistory")));
}

async function viewerDialog() {
  if (may("admin")) knownUsers = (await api.users(12).catch(() => ({ users: [] }))).users;
  const box = h("input", { id: "viewer-id", autocomplete: "off", maxlength: 200, required: true });
  const become = (user) => {
    byId("dialog").close();
    work.become(user);
  };
  openDialog(t("viewerTitle"), [
    h("p.muted", t("viewerWhy")),
    h("button.solid.wide", { type: "button", id: "someone", onclick: () => become(work.someone()) }, icon("plus"), t("someone")),
    knownUsers.length > 0 && h("ul.viewers", knownUsers.map((one) => h("li", h("button", { type: "button", onclick: () => become(one.user_id) }, h("span", one.user_id), h("span.muted", t("events", { n: number(one.events) })))))),
    h("form.inline", { onsubmit: (sent) => {
      sent.preventDefault();
      if (box.value.trim()) become(box.value.trim());
    } }, h("label", h("span", t("viewerId")), box), h("button.solid", { type: "submit" }, t("enter"))),
    h("div.dialog-foot", h("button.link", { type: "button", onclick: () => {
      api.keep("");
      location.reload();
    } }, t("leave")), h("button.link", { type: "button", onclick: () => byId("dialog").close() }, t("close"))),
  ]);
}

export function keyDialog(problem = "") {
  const box = h("input", { id: "key", type: "password", autocomplete: "off", spellcheck: "false", required: true, maxlength: 200 });
  openDialog(t("keyTitle"), [
    h("p.muted", t("keyWhy")), problem && h("p.bad", { role: "alert" }, problem),
    h("form.inline", { onsubmit: (sent) => {
      sent.preventDefault();
      api.keep(box.value.trim());
      location.reload();
    } }, h("label", h("span", t("keyLabel")), box), h("button.solid", { type: "submit" }, t("enter"))),
  ]);
}

function openDialog(title, parts) {
  const dialog = byId("dialog");
  dialog.setAttribute("aria-labelledby", "dialog-title");
  dialog.replaceChildren(h("h2", { id: "dialog-title" }, title), ...parts.filter(Boolean));
  if (!dialog.open) dialog.showModal();
}

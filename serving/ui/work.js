// What the page does: asks the routes, and changes what it knows. Draws nothing.

import * as api from "./api.js";
import { announce } from "./dom.js";
import { hear, holding, may, nothingHeld, state, tell } from "./state.js";
import { spoken, t } from "./words.js";

const HISTORY = 300; // newest interactions that are looked at
let asked = null; // the request that is in work; a newer one ends it

/** Reasons come in the page's language, where the bundle speaks it. */
export function start() {
  hear("language", () => state.slate && state.about.languages.length > 1 && refresh({ quiet: true }));
}

/** Cards of items that are not known yet. */
async function fetchCards(ids) {
  const wanted = [...new Set(ids)].filter((id) => !state.cards.has(id));
  for (let start = 0; start < wanted.length; start += 100) {
    const found = await api.items(wanted.slice(start, start + 100));
    for (const one of found.items) state.cards.set(one.id, one);
  }
}

/** The stored history, its interests, and the titles in it. */
export async function fetchUser() {
  if (!may("admin")) return tell("history", { known: null, segments: null });
  const known = await api.user(state.user, HISTORY);
  known.timeline.forEach((one) => one.title && state.cards.has(one.item_id) === false && state.cards.set(one.item_id, { id: one.item_id, title: one.title, fields: {}, bare: true }));
  const segments = known.timeline.length && state.about.interests ? (await api.interest(state.user)).segments : null;
  tell("history", { known, segments });
}

function wish(explain) {
  const body = {
    exclude: [...state.aside_items], without: [...state.without], diversity: state.diversity || (holding() && state.held.surprise ? null : 0), explain, k: state.most,
  };
  if (Object.keys(state.weights).length) body.weights = state.weights;
  return body;
}

async function slateOf(explain, signal) {
  if (!holding()) return api.recommend({ ...wish(explain), language: spoken(), diversity: state.diversity, user_id: state.user }, signal);
  const body = { ...wish(explain), user: state.user, understood: { ...state.held, language: spoken() } };
  const found = await api.chat(body, () => {}, signal);
  const said = state.turns.findLast((one) => one.role === "genrec");
  if (said) said.text = found.text;
  return { ...found, id: found.recommendation_id, note: "" };
}

/** The list anew, in two steps while something is being dragged: the order at once, the reasons when it rests. */
export async function refresh({ explain = true, quiet = false } = {}) {
  asked?.abort();
  const own = (asked = new AbortController());
  tell("busy", { busy: true });
  try {
    const slate = await slateOf(explain, own.signal);
    if (!explain) keepReasons(slate);
    await show(slate, quiet);
    tell("error", { error: null });
  } catch (error) {
    if (error.name !== "AbortError") fail(error);
  } finally {
    if (asked === own) tell("busy", { busy: false });
  }
}

function keepReasons(slate) {
  const old = new Map((state.slate?.items ?? []).map((one) => [one.id, one]));
  slate.items = slate.items.map((one) => ({ ...one, explanation: old.get(one.id)?.explanation, evidence: old.get(one.id)?.evidence, stale: true }));
}

async function show(slate, quiet) {
  await fetchCards(slate.items.flatMap((one) => [one.id, ...(one.evidence?.pieces ?? []).flatMap((piece) => piece.items)]));
  const before = state.slate?.items.map((one) => one.id) ?? null;
  const moves = new Map();
  slate.items.forEach((one, place) => {
    const was = before?.indexOf(one.id);
    if (before && was < 0) moves.set(one.id, "new");
    else if (before && was !== place) moves.set(one.id, was - place);
  });
  if (before && !quiet) {
    const fresh = [...moves.values()].filter((one) => one === "new").length;
    announce(moves.size ? t("moved", { fresh, moved: moves.size - fresh }) : t("same"));
  }
  tell("slate", { slate, moves });
}

/** A message: read by the server after what holds already. */
export async function say(text) {
  asked?.abort();
  const own = (asked = new AbortController());
  const before = state.slate;
  const turn = { role: "genrec", text: "", pending: true };
  if (before?.items.length) state.lists.push(before.items.map((one, place) => `${place + 1}. ${one.title}`).join("\n"));
  retire(before);
  tell("turns busy", { turns: [...state.turns, { role: "you", text }, turn], busy: true, slate: null });
  const shown = state.lists.slice(-20).map((content) => ({ role: "assistant", content }));
  const body = {
    ...wish(true), user: state.user, understood: { ...(state.held ?? nothingHeld()), language: spoken() },
    messages: [...shown, { role: "user", content: text }],
  };
  if (!state.diversity) delete body.diversity;
  try {
    const found = await api.chat(body, (sofar) => {
      turn.text = sofar;
      tell("stream");
    }, own.signal);
    turn.pending = false;
    turn.text = found.text;
    turn.question = Boolean(found.followup) || found.recommendation_id === null;
    const { unlinked, taken_as, ...held } = found.constraints;
    Object.assign(state, { held, aside: { unlinked, taken: taken_as } });
    await fetchCards([...held.liked, ...held.disliked, ...held.seen]);
    if (turn.question) tell("turns held slate", { slate: before });
    else {
      state.slate = before;
      await show({ ...found, id: found.recommendation_id, note: "" }, false);
      tell("turns held");
    }
    tell("error", { error: null });
  } catch (error) {
    if (error.name !== "AbortError") {
      state.turns = state.turns.filter((one) => one !== turn);
      tell("turns", { slate: before });
      fail(error);
    }
  } finally {
    if (asked === own) tell("busy", { busy: false });
  }
}

/** The list that is live becomes one that was shown. */
function retire(slate) {
  const last = state.turns.findLast((one) => one.role === "genrec");
  if (last && slate) last.titles = slate.items.map((one) => one.title);
}

/** What the page holds as understood, changed by hand. */
export async function hold(change) {
  const held = structuredClone(state.held ?? nothingHeld());
  change(held);
  tell("held", { held });
  await refresh();
}

export async function forget() {
  tell("held turns", { held: null, lists: [], aside: { unlinked: [], taken: {} }, turns: [] });
  await refresh();
}

/** like, dislike: stored, and part of the history at once. */
export async function feedback(item, kind) {
  const slate = state.slate;
  const place = slate?.items.findIndex((one) => one.id === item) ?? -1;
  const body = { user_id: state.user, item_id: item, kind };
  if (place >= 0 && slate.id) Object.assign(body, { recommendation_id: slate.id, slot: place + 1 });
  try {
    await api.event(body);
  } catch (error) {
    return fail(error);
  }
  await Promise.all([fetchUser(), refresh()]);
}

export async function setAside(item) {
  state.aside_items.add(item);
  await refresh();
}

export async function bringBack() {
  state.aside_items.clear();
  await refresh();
}

/** Whether an item of the history counts; the list before the first switch stays to compare with. */
export async function toggle(item) {
  if (!state.without.size) state.factual = state.slate?.items.map((one) => ({ id: one.id, title: one.title })) ?? [];
  if (!state.without.delete(item)) state.without.add(item);
  tell("history");
  await refresh();
}

export async function putBack() {
  state.without.clear();
  tell("history");
  await refresh();
}

export async function become(user) {
  sessionStorage.setItem("genrec-user", user);
  Object.assign(state, { user, held: null, turns: [], slate: null, lists: [], known: null, segments: null, aside: { unlinked: [], taken: {} } });
  state.without.clear();
  state.aside_items.clear();
  tell("user held turns history");
  await Promise.all([fetchUser().catch(fail), refresh({ quiet: true })]);
}

export function someone() {
  return `visitor-${[...crypto.getRandomValues(new Uint8Array(3))].map((one) => one.toString(16).padStart(2, "0")).join("")}`;
}

export async function eraseUser() {
  try {
    await api.erase(state.user);
    announce(t("erased"));
    await become(state.user);
  } catch (error) {
    fail(error);
  }
}

export function fail(error) {
  if (error.status === 401) tell("locked");
  else tell("error", { error: error.message });
}

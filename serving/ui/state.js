// What the page knows, in one place, and who wants to hear of it. Knows neither elements nor routes.

import { spoken } from "./words.js";

export const state = {
  about: null,
  user: "",
  known: null, // the stored history: {timeline, shown, window, …}; null: not to be had
  segments: null, // of the user's interest; null: not to be had
  lists: [], // what was shown so far, as the server reads it back
  turns: [], // {role: "you", text} or {role: "genrec", text, slate, question, titles}
  held: null, // what was understood, as the server takes it back; null: nothing was said
  aside: { unlinked: [], taken: {} }, // of the last message
  slate: null, // the live one: {id, items, window, degraded, note, no_match}
  moves: new Map(), // item id → places it rose, or "new"
  weights: {}, // of priors, where they differ from the bundle's
  diversity: 0,
  without: new Set(), // items of the history that count as if they had not happened
  aside_items: new Set(), // not now: left out while this page is open
  lit: new Set(), // items of the history that a piece of evidence rests on
  busy: false,
  cards: new Map(), // item id → {title, fields}
  most: 6,
};

const hearers = new Map();

/** hear("slate", draw): draw is called after every change that names the topic. */
export function hear(topics, draw) {
  for (const topic of topics.split(" ")) hearers.set(topic, [...(hearers.get(topic) ?? []), draw]);
}

/** Changes what the page knows, then draws what depends on it, each once. */
export function tell(topics, changes = {}) {
  Object.assign(state, changes);
  const draws = new Set(topics.split(" ").flatMap((topic) => hearers.get(topic) ?? []));
  for (const draw of draws) draw();
}

export const nothingHeld = () => ({
  liked: [], disliked: [], seen: [], shown: [], rules: [], liked_traits: [], disliked_traits: [], moods: [],
  unwanted_moods: [], count: null, surprise: false, language: "en",
});

/** Whether what is held could change a slate. */
export function holding(held = state.held) {
  if (!held) return false;
  const lists = ["liked", "disliked", "seen", "shown", "rules", "liked_traits", "disliked_traits", "moods", "unwanted_moods"];
  return held.surprise || held.count !== null || lists.some((name) => held[name].length > 0);
}

/** The field that sorts items into few kinds (genres, a shelf), if there is one. */
export function mainField() {
  const sorting = state.about?.fields.filter((one) => (one.kind === "list" || one.kind === "text") && one.values.length > 1) ?? [];
  return sorting.reduce((best, one) => (best && best.values.length <= one.values.length ? best : one), null);
}

/** The language that reasons come in. */
export const reasonsIn = () => (state.about.languages.includes(spoken()) ? spoken() : state.about.language);

export const may = (scope) => Boolean(state.about?.scopes.includes(scope));
export const titleOf = (id) => state.cards.get(id)?.title ?? id;

// The routes as functions. Knows no element of the page. The key stays in this tab.

const KEPT = "genrec-key";

export class Refused extends Error {
  constructor(status, problem) {
    super([problem?.message, problem?.allowed && `(${problem.allowed})`, problem?.remedy].filter(Boolean).join(" · ") || `HTTP ${status}`);
    this.status = status;
  }
}

/** A key in the address (`/#key=…`, which no server sees) is kept for the tab and taken out of the address. */
export function keyOfAddress() {
  const found = /^#key=([\w-]+)$/.exec(location.hash);
  if (found) {
    sessionStorage.setItem(KEPT, found[1]);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(KEPT) ?? "";
}

export function keep(key) {
  if (key) sessionStorage.setItem(KEPT, key);
  else sessionStorage.removeItem(KEPT);
}

async function ask(method, path, body, signal) {
  const headers = { Authorization: `Bearer ${sessionStorage.getItem(KEPT) ?? ""}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  for (let attempt = 0; ; attempt += 1) {
    const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal });
    if (answer.ok) return answer;
    if ((answer.status === 503 || answer.status === 429) && attempt < 3) {
      await new Promise((go) => setTimeout(go, 400 * 2 ** attempt));
      continue;
    }
    let problem = null;
    try {
      problem = (await answer.json()).error;
    } catch {
      // not JSON: a proxy's own page
    }
    throw new Refused(answer.status, problem);
  }
}

const json = async (...words) => (await ask(...words)).json();
const segment = (id) => id.split("/").map(encodeURIComponent).join("/");

export const about = () => json("GET", "/v1/about");
export const users = (most) => json("GET", `/v1/users?most=${most}`);
export const user = (id, most) => json("GET", `/v1/users/${segment(id)}?most=${most}`);
export const interest = (id) => json("GET", `/v1/interests/${segment(id)}`);
export const erase = (id) => json("DELETE", `/v1/users/${segment(id)}`);
export const search = (words, signal) => json("GET", `/v1/catalog/items?most=8&q=${encodeURIComponent(words)}`, undefined, signal);
export const items = (ids) => json("GET", `/v1/catalog/items?${ids.map((id) => `id=${encodeURIComponent(id)}`).join("&")}`);
export const recommend = (body, signal) => json("POST", "/v1/recommendations", body, signal);
export const explain = (body) => json("POST", "/v1/explanations", body);
export const event = (body) => json("POST", "/v1/events", { key: unique(), ...body });

function unique() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((one) => one.toString(16).padStart(2, "0")).join("");
}

/** Chat as a stream: heard(text so far) as it comes; resolves to the extras of the last piece, with `text`. */
export async function chat(body, heard, signal) {
  const answer = await ask("POST", "/v1/chat/completions", { ...body, stream: true }, signal);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let left = "";
  let text = "";
  let extras = null;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { ...extras, text };
    left += value;
    const parts = left.split("\n\n");
    left = parts.pop();
    for (const part of parts) {
      const data = part.replace(/^data: /, "");
      if (data === "[DONE]") continue;
      const piece = JSON.parse(data);
      const said = piece.choices[0].delta.content;
      if (said) heard((text += said));
      if (piece.choices[0].finish_reason) extras = piece;
    }
  }
}

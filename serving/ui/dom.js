// Elements made of data. Text goes in as text only: nothing here parses HTML, and the page's policy forbids it as well.

/** h("p.note", {title: "x", onclick: f}, "text", child, …); null, false and undefined are left out. */
export function h(name, ...rest) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElement(tag || "div");
  if (classes.length) node.className = classes.join(" ");
  return filled(node, rest);
}

const SVG = "http://www.w3.org/2000/svg";

/** The same for SVG; all that is given is an attribute. */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) if (value !== null) node.setAttribute(key, value);
  node.append(...children.flat().filter(Boolean));
  return node;
}

function filled(node, rest) {
  const [first, ...others] = rest;
  const plain = first !== null && typeof first === "object" && !(first instanceof Node) && !Array.isArray(first);
  if (plain) for (const [key, value] of Object.entries(first)) put(node, key, value);
  node.append(...(plain ? others : rest).flat(3).filter((one) => one !== null && one !== undefined && one !== false));
  return node;
}

function put(node, key, value) {
  if (value === null || value === undefined || value === false) return;
  if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
  else if (key.startsWith("--")) node.style.setProperty(key, value);
  else if (key === "value" || key === "checked" || key === "open") node[key] = value;
  else node.setAttribute(key, value === true ? "" : value);
}

export const byId = (id) => document.getElementById(id);

const PATHS = {
  heart: "M12 20s-7-4.6-9-9.1C1.6 7.6 3.6 4.5 6.8 4.5c2.2 0 3.9 1.3 5.2 3.2 1.3-1.9 3-3.2 5.2-3.2 3.2 0 5.2 3.1 3.8 6.4C19 15.4 12 20 12 20z",
  down: "M7 3.5h9.3c.9 0 1.6.6 1.8 1.4l1.4 6.6c.3 1.3-.7 2.5-2 2.5H13l.8 4.2c.2 1.2-.7 2.3-1.9 2.3-.6 0-1.1-.3-1.4-.8L7 14zM3.5 3.5v10.5",
  clock: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM12 7.5V12l3.2 2",
  close: "M6 6l12 12M18 6L6 18",
  plus: "M12 5v14M5 12h14",
  send: "M12 19V5M5.5 11.5L12 5l6.5 6.5",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20c.6-3.7 3.6-6 7.5-6s6.9 2.3 7.5 6",
  half: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM12 3.5v17",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
  edit: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  undo: "M8 5L4 9l4 4M4 9h10a6 6 0 0 1 0 12h-3",
  chevron: "M6 9l6 6 6-6",
  chat: "M4 5.5h16v11H9l-5 4z",
  sliders: "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5v5M9 14.5v5",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
  link: "M9.5 14.5l5-5M8 11l-2 2a4 4 0 0 0 5.5 5.5l2-2M16 13l2-2A4 4 0 0 0 12.500 5.5l-2 2",
  trash: "M5 7h14M10 7V4.500h4V7M7 7l1 13h8l1-13",
};

/** A drawing beside a text: it says nothing by itself. */
export function icon(name) {
  return svg("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" }, svg("path", { d: PATHS[name] }));
}

let last = "";
/** Says something to screen readers. */
export function announce(text) {
  const place = byId("said");
  place.textContent = text === last ? `${text} ` : text;
  last = place.textContent;
}

/** Runs `change`, and lets elements with data-key slide from where they were; not for those who want less motion. */
export function slide(root, change) {
  const before = new Map(keyed(root).map((one) => [one.dataset.key, one.getBoundingClientRect().top]));
  change();
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  for (const one of keyed(root)) {
    const was = before.get(one.dataset.key);
    const now = one.getBoundingClientRect().top;
    if (was === undefined) {
      one.animate([{ opacity: 0, transform: "scale(.98)" }, { opacity: 1, transform: "none" }], { duration: 260, easing: "ease-out" });
    } else if (Math.abs(was - now) > 1) {
      one.animate([{ transform: `translateY(${was - now}px)` }, { transform: "none" }], { duration: 420, easing: "cubic-bezier(.2,.8,.2,1)" });
    }
  }
}

const keyed = (root) => [...root.querySelectorAll("[data-key]")];

/** f, once no call has come for `ms`. */
export function later(f, ms) {
  let timer;
  return (...words) => {
    clearTimeout(timer);
    timer = setTimeout(() => f(...words), ms);
  };
}

// Keys, tree grids, copying and live pages. Everything on a page works without this file; it only makes it quicker.
"use strict";

const KEYS_OFF = "cairn-keys-off";
const WAIT_MS = 1200; // for the second key after g
const FIELDS = "input:not([type=checkbox]):not([type=radio]):not([type=button]), textarea, select, [contenteditable=true]";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const stored = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
const store = (name, value) => { try { localStorage.setItem(name, value); } catch { /* a browser that keeps nothing */ } };

// --- Keys, declared in HTML: data-key="a" on a link, a button or a field; "g r" is g, then r ---

let before = "", since = 0;

function act(element) {
  if (element.matches(FIELDS)) { element.focus(); element.select?.(); }
  else element.click();
}

// Of two elements with the same key the last one counts, so that a page's own search comes before the header's.
function press(keys) {
  const found = all(`[data-key="${CSS.escape(keys)}"]`)
    .filter((element) => !element.disabled && !element.closest("[hidden], [inert]") && element.checkVisibility()).pop();
  if (found) act(found);
  return Boolean(found);
}

// The link that a row is about: the one marked, or else the first thing in it that takes the focus.
const mainLink = (row) => row.querySelector("a[data-open]") || row.querySelector("a[href]:not(.twist)") || row.querySelector("input, button");

function walk(step) {
  const rows = all("table[data-rows] tbody tr").filter((row) => row.checkVisibility() && mainLink(row));
  if (!rows.length) return false;
  const at = rows.indexOf(document.activeElement.closest?.("table[data-rows] tbody tr"));
  const to = at >= 0 ? at + step : step > 0 ? 0 : rows.length - 1;
  const link = mainLink(rows[Math.max(0, Math.min(rows.length - 1, to))]);
  link.focus();
  link.scrollIntoView({ block: "nearest" });
  return true;
}

function mark() {
  const box = document.activeElement.closest?.("tr")?.querySelector("input[type=checkbox]");
  box?.click();
  return Boolean(box);
}

const BUILT_IN = { j: () => walk(1), k: () => walk(-1), v: mark };

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest?.(FIELDS) || stored(KEYS_OFF) === "true" || document.querySelector("dialog[open]")) return;
  if (event.key.length > 1) return; // Tab, Enter, arrows: the browser's and the tree grid's
  const together = Date.now() - since < WAIT_MS ? `${before} ${event.key}` : "";
  const done = (together && press(together)) || press(event.key) || BUILT_IN[event.key]?.();
  before = done ? "" : event.key;
  since = Date.now();
  if (done) event.preventDefault();
});

// --- The list of keys ---

function listPageKeys(dialog) {
  const list = dialog.querySelector("[data-page-keys]");
  const rows = all("main [data-key]").filter((element) => element.checkVisibility()).flatMap((element) => {
    const term = document.createElement("dt"), text = document.createElement("dd"), key = document.createElement("kbd");
    key.textContent = element.dataset.key;
    const copy = element.cloneNode(true);
    all("kbd, .sr", copy).forEach((part) => part.remove());
    text.textContent = element.dataset.keyLabel || element.ariaLabel || copy.textContent.trim();
    term.append(key);
    return [term, text];
  });
  list.replaceChildren(...rows);
  list.previousElementSibling.hidden = !rows.length;
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest?.("[commandfor][command=show-modal]");
  if (!opener) return;
  const dialog = document.getElementById(opener.getAttribute("commandfor"));
  if (dialog.id === "keys") listPageKeys(dialog);
  if (!("command" in HTMLButtonElement.prototype)) dialog.showModal(); // older browsers: no invoker commands
});

// --- Tree grids and difficulty maps: arrow keys ---

// table[role=treegrid]: up and down walk the rows; right opens or enters, left closes or goes to the parent.
// Expanders are links: a.twist in a row with aria-expanded.
function arrowInGrid(event, row) {
  const rows = all("tbody tr", row.closest("table"));
  const at = rows.indexOf(row), level = Number(row.ariaLevel), open = row.ariaExpanded;
  const go = (target) => target && mainLink(target)?.focus();
  const toggle = () => row.querySelector("a.twist")?.click();
  switch (event.key) {
    case "ArrowDown": return go(rows[at + 1]);
    case "ArrowUp": return go(rows[at - 1]);
    case "Home": return go(rows[0]);
    case "End": return go(rows.at(-1));
    case "ArrowRight": return open === "false" ? toggle() : Number(rows[at + 1]?.ariaLevel) > level && go(rows[at + 1]);
    case "ArrowLeft": return open === "true" ? toggle() : go(rows.slice(0, at).findLast((other) => Number(other.ariaLevel) < level));
  }
}

// svg[data-map]: left goes to the parent, right to the first child, up and down to the neighbours of the same turn.
function arrowInMap(event, stone) {
  const map = stone.closest("[data-map]"), { node, parent, turn } = stone.dataset;
  const find = (selector) => map.querySelector(`a[data-node]${selector}`);
  const peers = all(`a[data-turn="${CSS.escape(turn)}"]`, map);
  const at = peers.indexOf(stone);
  const next = { ArrowLeft: () => parent && find(`[data-node="${CSS.escape(parent)}"]`), ArrowRight: () => find(`[data-parent="${CSS.escape(node)}"]`),
    ArrowUp: () => peers[at - 1], ArrowDown: () => peers[at + 1] }[event.key]();
  if (next) { all("a[data-node]", map).forEach((a) => a.setAttribute("tabindex", a === next ? "0" : "-1")); next.focus(); }
}

document.addEventListener("keydown", (event) => {
  if (!/^(Arrow|Home$|End$)/.test(event.key) || event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.(FIELDS)) return;
  const row = event.target.closest?.("table[role=treegrid] tbody tr");
  const stone = event.key.startsWith("Arrow") && event.target.closest?.("[data-map] a[data-node]");
  if (row) arrowInGrid(event, row);
  else if (stone) arrowInMap(event, stone);
  else return;
  event.preventDefault();
});

// --- What is set up once for each new part of a page ---

function prepare(root) {
  all("[data-copy][hidden]", root).forEach((button) => { button.hidden = !navigator.clipboard; });
  all("[data-map]", root).forEach((map) => { // one stop for Tab; arrows go on from there
    const stones = all("a[data-node]", map), chosen = stones.find((stone) => stone.ariaCurrent) || stones[0];
    stones.forEach((stone) => stone.setAttribute("tabindex", stone === chosen ? "0" : "-1"));
  });
  all("[data-setting=keys-off]", root).forEach((box) => { box.checked = stored(KEYS_OFF) === "true"; });
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-setting=keys-off]")) store(KEYS_OFF, String(event.target.checked));
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit(); // a filter that applies at once
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  const target = document.getElementById(button.dataset.copy), label = button.querySelector("span"), text = label.textContent;
  try {
    await navigator.clipboard.writeText(target.value ?? target.textContent);
    label.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(target);
    label.textContent = "Selected: press Ctrl+C";
  }
  setTimeout(() => { label.textContent = text; }, 2000);
});

// What was changed before the scripts came, or what a browser filled in again: forms that follow every change hear of it.
const touched = (field) => "defaultChecked" in field && /checkbox|radio/.test(field.type)
  ? field.checked !== field.defaultChecked
  : "defaultValue" in field && field.value !== field.defaultValue;
const catchUp = (form) => {
  if (form.matches?.("form[hx-trigger^=change]") && [...form.elements].some(touched)) form.dispatchEvent(new Event("change"));
};
document.addEventListener("htmx:after:init", (event) => catchUp(event.target));
all("[data-htmx-powered]").forEach(catchUp); // htmx may have come first

// --- htmx: busy while loading, and what an event stream says of itself ---

const busy = (state) => (event) => {
  const target = event.detail.ctx?.target;
  if (target instanceof Element && !event.detail.ctx.sourceElement?.matches("[hx-sse\\:connect], [data-quiet]")) target.ariaBusy = state;
};
document.addEventListener("htmx:before:request", busy("true"));
document.addEventListener("htmx:finally:request", busy("false"));
document.addEventListener("htmx:after:swap", () => prepare(document));
// [data-stream-state] is hidden while the stream is there, and says since when it is not.
const streaming = (there) => () => all("[data-stream-state]").forEach((note) => {
  if (there) { note.hidden = true; return; }
  if (!note.hidden) return;
  note.hidden = false;
  note.textContent = `Reconnecting, data as of ${new Date().toLocaleTimeString()}`;
});
document.addEventListener("htmx:sse:after:connection", streaming(true));
document.addEventListener("htmx:sse:error", streaming(false));

prepare(document);

// The screens that show variants: what is chosen follows the keys that walk the grid. Without this file, Enter opens it.
"use strict";

const FOLLOW_MS = 90; // long enough that holding an arrow asks for the last row only
let walked = false, following = 0, chosen = document.querySelector("[data-follow]")?.closest("tbody").querySelector("[aria-selected]")?.id;

document.addEventListener("keydown", (event) => { walked = /^(j|k|Arrow\w+|Home|End)$/.test(event.key); }, true);
document.addEventListener("pointerdown", () => { walked = false; }, true);

document.addEventListener("focusin", ({ target }) => {
  clearTimeout(following);
  if (walked && target.matches("[data-follow]")) following = setTimeout(() => target.click(), FOLLOW_MS);
});

function markChosen() {
  document.querySelectorAll("[role=treegrid] tbody tr").forEach((row) => {
    if (row.id === chosen) row.ariaSelected = "true";
    else row.removeAttribute("aria-selected");
  });
}

document.addEventListener("click", ({ target }) => {
  const link = target.closest?.("[data-follow]");
  if (link) { chosen = link.closest("tr").id; markChosen(); }
});
document.addEventListener("htmx:after:swap", markChosen);

// A stone of the map is chosen through its row, where the grid shows it: the page stays.
document.addEventListener("click", (event) => {
  const stone = event.target.closest?.("#detail [data-map] a");
  const row = stone && document.getElementById(`row-v${new URL(stone.getAttribute("href"), location).searchParams.get("node")}`);
  if (!row || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  row.scrollIntoView({ block: "nearest" });
  row.querySelector("[data-follow]").click();
});

// Links made before something else was chosen keep the choice.
document.addEventListener("click", ({ target }) => {
  const link = target.closest?.("#grid a.twist, #grid .gridbar a"), node = new URLSearchParams(location.search).get("node");
  if (!link || !node) return;
  const to = new URL(link.href);
  to.searchParams.set("node", node);
  link.setAttribute("href", to.pathname + to.search);
}, true);

document.addEventListener("change", ({ target }) => {
  const grid = target.closest("#grid"), count = grid?.querySelectorAll("[name=pick]:checked").length;
  if (grid) grid.querySelector("[data-count]").textContent = count || "";
});

// What the address names is where the keys start from.
if (new URLSearchParams(location.search).has("node")) {
  const link = document.querySelector("#tree [aria-selected=true] [data-follow]");
  link?.scrollIntoView({ block: "center" });
  link?.focus({ preventScroll: true });
}

// A filter that is left open stays out of the address.
document.addEventListener("formdata", ({ target, formData }) => {
  if (target.method === "get") [...formData].forEach(([name, value]) => value === "" && formData.delete(name));
});

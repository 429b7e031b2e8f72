/** Entry of the comparison: steps from change to change, by buttons and keys, over the parts of a long one. */

import { isForPage, joinSwitch } from "./lib/key-switch.js";

const total = Number(document.querySelector("[data-changes]")?.getAttribute("data-changes"));
const rows = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-change]")]);
const now = document.querySelector("[data-now]");
let at = -1;
let off = false;

/** @param {number} index */
function show(index) {
  const row = rows[index];
  if (!row) return;
  at = index;
  row.scrollIntoView({ block: "center" });
  row.focus({ preventScroll: true });
  if (now) now.textContent = `Change ${row.dataset.change} of ${total}`;
}

/** @param {number} by */
function step(by) {
  if (at < 0 && by < 0) return;
  if (rows[at + by]) return show(at + by);
  const part = document.querySelector(by > 0 ? '[data-part="after"]' : '[data-part="before"]');
  if (part instanceof HTMLAnchorElement) location.assign(`${part.href}#${by > 0 ? "first" : "last"}`);
}

for (const button of document.querySelectorAll("[data-step]")) {
  button.addEventListener("click", () => step(Number(button.getAttribute("data-step"))));
}
for (const hidden of document.querySelectorAll("[data-steps], [data-keys-switch]")) {
  /** @type {HTMLElement} */ (hidden).hidden = total === 0;
}
const box = /** @type {HTMLInputElement | null} */ (document.querySelector("[data-keys-on]"));
if (box) {
  joinSwitch(box, (isOff) => {
    off = isOff;
  });
}
document.addEventListener("keydown", (event) => {
  if (off || !isForPage(event)) return;
  const by = { n: 1, p: -1 }[event.key];
  if (!by) return;
  event.preventDefault();
  step(by);
});
if (location.hash === "#first") show(0);
if (location.hash === "#last") show(rows.length - 1);

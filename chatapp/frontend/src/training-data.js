/** Pages of training data: a build is followed while it runs, and rows are reviewed by keys. */

import { keysAreOff } from "./lib/key-switch.js";

const SECONDS = 1.5;

/** Draw the part of the build anew until it is over; then the whole page, whose counts have changed. */
async function follow() {
  const part = document.querySelector("[data-part=build][data-live]");
  if (!part) return;
  try {
    const reply = await fetch(location.href, { headers: { accept: "text/html" } });
    const page = new DOMParser().parseFromString(await reply.text(), "text/html");
    const fresh = page.querySelector("[data-part=build]");
    if (!reply.ok || reply.redirected || !fresh?.hasAttribute("data-live")) {
      location.reload();
      return;
    }
    if (!part.contains(document.activeElement)) part.replaceWith(fresh);
  } catch {
    // The server does not answer just now: the next try asks again.
  }
  setTimeout(follow, SECONDS * 1000);
}

document.addEventListener("keydown", (event) => {
  const { target, key } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || keysAreOff()) return;
  if (target instanceof HTMLElement && target.matches("input, textarea, select")) return;
  const button = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (button instanceof HTMLElement) button.click();
});

// One decision for one press: the next row comes with the next page.
for (const form of document.querySelectorAll("form[data-review]")) {
  form.addEventListener("submit", (event) => {
    if (!(form instanceof HTMLFormElement)) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
}

// The words that answer may stand far down among the passages.
const lit = document.querySelector(".data-sources mark");
const list = lit?.closest(".data-sources");
if (lit && list) {
  const distance = lit.getBoundingClientRect().top - list.getBoundingClientRect().top;
  if (distance > list.clientHeight / 2) list.scrollTop = distance - list.clientHeight / 4;
}

// Back from another page, the row shown may be decided already.
window.addEventListener("pageshow", (event) => event.persisted && location.reload());

setTimeout(follow, SECONDS * 1000);

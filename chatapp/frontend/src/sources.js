/** Pages of sources: a part that says it is live is drawn anew until it is over; a test keeps what was typed in. */

const SECONDS = 1.5;

/**
 * Put the part of that name as the server draws it now in place of the one shown.
 *
 * @param {string} name
 * @param {RequestInit} [request]
 * @returns {Promise<HTMLElement | null>}
 */
async function redraw(name, request) {
  const reply = await fetch(location.href, { ...request, headers: { accept: "text/html" } });
  if (!reply.ok || reply.redirected) {
    location.reload(); // signed out, or gone: the page itself says so
    return null;
  }
  const fresh = new DOMParser()
    .parseFromString(await reply.text(), "text/html")
    .querySelector(`[data-part="${name}"]`);
  const shown = document.querySelector(`[data-part="${name}"]`);
  if (!(fresh instanceof HTMLElement) || !shown) return null;
  const focused = shown.contains(document.activeElement) ? document.activeElement?.textContent : null;
  shown.replaceWith(fresh);
  const same = [...fresh.querySelectorAll("a, button")].find((node) => node.textContent === focused);
  if (focused && same instanceof HTMLElement) same.focus();
  return fresh;
}

async function follow() {
  const part = document.querySelector("[data-live]");
  if (!(part instanceof HTMLElement) || !part.dataset.part) return;
  try {
    if (!document.hidden) await redraw(part.dataset.part);
  } catch {
    // The server does not answer just now: the next try asks again.
  }
  setTimeout(follow, SECONDS * 1000);
}

/** @param {HTMLFormElement} form */
function prepare(form) {
  const test = form.querySelector("[data-test]");
  test?.addEventListener("click", async (event) => {
    event.preventDefault();
    if (!(test instanceof HTMLButtonElement) || !form.reportValidity()) return;
    const body = new URLSearchParams();
    for (const [name, value] of new FormData(form, test))
      if (typeof value === "string") body.append(name, value);
    const part = document.querySelector('[data-part="check"]');
    if (part) part.textContent = "Looking…";
    test.disabled = true;
    try {
      await redraw("check", { method: "POST", body });
    } catch {
      if (part) part.textContent = "The server does not answer. Try again in a moment.";
    }
    test.disabled = false;
  });
}

const form = document.querySelector("[data-source-form]");
if (form instanceof HTMLFormElement) prepare(form);
setTimeout(follow, SECONDS * 1000);

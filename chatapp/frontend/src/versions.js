/** Entry of the versions page: restore, upload a new version, and wait for the one being processed. */

import { api, upload } from "./lib/api.js";
import { confirmDialog, pageData } from "./lib/dom.js";

/** @typedef {import("./lib/types.js").DocumentRow} DocumentRow */

const POLL = 2_000;
const UNDER_WAY = new Set(["queued", "parsing", "embedding"]);

/** @type {{document: string, under_way: boolean}} */
const page = pageData("versions-page");
const find = (/** @type {string} */ name) => /** @type {HTMLElement | null} */ (document.querySelector(name));
const message = find("[data-message]");
const status = find("[data-status]");

/** @param {string} words */
function say(words) {
  if (!message) return;
  message.textContent = words;
  message.hidden = !words;
}

/** @param {string} words */
function tell(words) {
  if (!status) return;
  status.textContent = words;
  status.hidden = !words;
}

/** Ask until the new version is ready or has failed, and then show it. */
async function wait() {
  for (;;) {
    await new Promise((done) => setTimeout(done, POLL));
    try {
      const row = await api(`/documents/${page.document}`);
      if (!UNDER_WAY.has(row.status)) return location.reload();
    } catch (error) {
      return say(/** @type {Error} */ (error).message);
    }
  }
}

/** @param {DocumentRow} row as the API answered */
function queued(row) {
  if (row.unchanged) return tell(`Unchanged: already version ${row.unchanged}.`);
  location.reload();
}

/** @param {string} number */
async function restore(number) {
  const yes = await confirmDialog({
    title: `Restore version ${number}?`,
    text: "Its file becomes the newest version and is searched in place of the current one. No version is lost.",
    action: "Restore",
  });
  if (!yes) return;
  say("");
  try {
    queued(await api(`/documents/${page.document}/versions/${number}/restore`, { method: "POST" }));
  } catch (error) {
    say(/** @type {Error} */ (error).message);
  }
}

/** @param {HTMLElement} box */
function prepareUpload(box) {
  const input = /** @type {HTMLInputElement} */ (box.querySelector("[data-file]"));
  const progress = /** @type {HTMLProgressElement} */ (box.querySelector("[data-progress]"));
  box.hidden = false;
  input.addEventListener("change", async () => {
    const file = input.files?.[0];
    input.value = "";
    if (!file) return;
    say("");
    progress.hidden = false;
    try {
      queued(
        await upload(`/documents/${page.document}/versions`, file, (share) => {
          progress.value = share;
        }),
      );
    } catch (error) {
      say(/** @type {Error} */ (error).message);
    }
    progress.hidden = true;
  });
}

for (const button of document.querySelectorAll("[data-restore]")) {
  const one = /** @type {HTMLButtonElement} */ (button);
  one.hidden = false;
  one.addEventListener("click", () => restore(one.dataset.restore ?? ""));
}
const box = find("[data-upload]");
if (box) prepareUpload(box);
if (page.under_way) wait();

/** What can be chosen where a document is deleted: what its report keeps, and what answers lose. */

import { el } from "../lib/dom.js";

const MOST_WORDS = 400;

/**
 * @param {{canErase: boolean}} rights
 * @returns {{element: Node, query: () => string}} query: what the choices add to the address
 */
export function deletionChoices({ canErase }) {
  const reason = el("input", {
    type: "text",
    maxlength: `${MOST_WORDS}`,
    id: "deletion-reason",
    autocomplete: "off",
  });
  const name = el("input", { type: "checkbox", checked: true });
  const erase = canErase ? el("input", { type: "checkbox", "aria-describedby": "erase-words" }) : null;
  erase?.addEventListener("change", () => {
    name.disabled = erase.checked; // an erasure keeps no title
  });
  const element = el(
    "div",
    { class: "dialog-choices" },
    el("div", { class: "field" }, el("label", { for: "deletion-reason" }, "Reason (optional)"), reason),
    el(
      "div",
      { class: "dialog-choice" },
      el("label", {}, name, "Keep its title in the list of deleted documents"),
    ),
    erase &&
      el(
        "div",
        { class: "dialog-choice" },
        el("label", {}, erase, "Also erase its words from answers"),
        el(
          "p",
          { id: "erase-words" },
          "Answers that used it lose what they quote and repeat of it, and all that the language model was told and wrote for " +
            "them. A notice stands in its place, and the list of deleted documents keeps no title. This can\u2019t be undone.",
        ),
      ),
  );
  const query = () => {
    const asked = new URLSearchParams();
    if (erase?.checked) asked.set("erase", "true");
    else if (!name.checked) asked.set("keep_name", "false");
    if (reason.value.trim()) asked.set("reason", reason.value.trim());
    return asked.size ? `?${asked}` : "";
  };
  return { element, query };
}

/** Small helpers to build elements without markup strings. */

/**
 * Create an element. `on…` properties become listeners, `data-*`/`aria-*`/`role` and the like attributes.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, unknown>} [props]
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on") && typeof value === "function") {
      node.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    } else if (name === "class") {
      node.className = String(value);
    } else {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  }
  append(node, children);
  return node;
}

/**
 * @param {Element} node
 * @param {(Node | string | null | undefined | false)[]} children
 */
export function append(node, children) {
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) node.append(child);
  }
}

/** Outlines on a 16 x 16 grid, drawn with the current colour. */
const ICONS = {
  check: "M3 8.5 6.5 12 13 4.5",
  partial: "M3 8h10",
  cross: "M4 4l8 8M12 4l-8 8",
  question: "M5.5 6a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8M8 12.6v.1",
  split: "M8 13V9.5L4 5M8 9.5 12 5M4 8.2V5h3.2M12 8.2V5H8.8",
  plus: "M8 3v10M3 8h10",
  pencil: "M3 13l.6-2.8 7.2-7.2 2.2 2.2-7.2 7.2z",
  bin: "M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.6 8.5h5.8l.6-8.5",
  send: "M8 13V3.5M4 7.5 8 3.5l4 4",
  stop: "M4.5 4.5h7v7h-7z",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  copy: "M6 6h7v7H6zM10 6V3H3v7h3",
  retry: "M12.5 8a4.5 4.5 0 1 1-1.4-3.3M12.5 2.5v2.7H9.8",
  look: "M1.5 8c1.8-3 4-4.5 6.5-4.5s4.7 1.5 6.5 4.5c-1.8 3-4 4.5-6.5 4.5S3.3 11 1.5 8zM10 8a2 2 0 1 1-4 0 2 2 0 0 1 4 0",
  layers: "M8 2.5 14 6 8 9.5 2 6zM2.5 9 8 12.5 13.5 9",
  book: "M8 4.5C6.5 3.4 4.5 3 2.5 3v9c2 0 4 .4 5.5 1.5C9.5 12.4 11.5 12 13.5 12V3c-2 0-4 .4-5.5 1.5zM8 4.5v9",
};

/**
 * @param {keyof typeof ICONS} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/**
 * Read a `json_script` block of the page.
 *
 * @param {string} id
 * @returns {any}
 */
export function pageData(id) {
  const node = document.getElementById(id);
  return node ? JSON.parse(node.textContent || "null") : null;
}

/**
 * Send a bubbling event with a payload.
 *
 * @param {EventTarget} target
 * @param {string} name
 * @param {unknown} [detail]
 */
export function emit(target, name, detail) {
  target.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
}

/**
 * Ask yes or no in the page's own dialog.
 *
 * @param {{title: string, text: string, action: string, choice?: Node | null}} words choice: what can be chosen beside
 * @returns {Promise<boolean>}
 */
export function confirmDialog({ title, text, action, choice }) {
  return new Promise((resolve) => {
    const dialog = el(
      "dialog",
      { class: "dialog", "aria-labelledby": "dialog-title" },
      el(
        "form",
        { method: "dialog" },
        el("h2", { id: "dialog-title" }, title),
        el("p", {}, text),
        choice,
        el(
          "div",
          { class: "dialog-actions" },
          el("button", { class: "button", value: "no", autofocus: true }, "Cancel"),
          el("button", { class: "button danger", value: "yes" }, action),
        ),
      ),
    );
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes");
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Whether single letters work as keys: a choice of this browser, for all pages that have such keys. */

const OFF = "reader-keys-off";

export function keysAreOff() {
  try {
    return localStorage.getItem(OFF) === "1";
  } catch {
    return false;
  }
}

/**
 * Join a checkbox to the choice.
 *
 * @param {HTMLInputElement} box
 * @param {(off: boolean) => void} onChange called at once, and at each change
 */
export function joinSwitch(box, onChange) {
  box.checked = !keysAreOff();
  box.addEventListener("change", () => {
    try {
      if (box.checked) localStorage.removeItem(OFF);
      else localStorage.setItem(OFF, "1");
    } catch {
      // Storage is not allowed: the choice holds for this page.
    }
    onChange(!box.checked);
  });
  onChange(!box.checked);
}

/**
 * Whether a key was meant for the page and not for a field or the browser.
 *
 * @param {KeyboardEvent} event
 */
export function isForPage(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return false;
  return !(
    event.target instanceof Element && event.target.closest("input, textarea, select, [contenteditable]")
  );
}

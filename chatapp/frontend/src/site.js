/** On every page: the theme switch. The choice is a cookie, so the server renders it without a flash. */

const ORDER = ["system", "light", "dark"];
const NAMES = /** @type {Record<string, string>} */ ({
  system: "as the device",
  light: "light",
  dark: "dark",
});

function themeButton() {
  const button = /** @type {HTMLButtonElement | null} */ (document.querySelector("[data-theme-toggle]"));
  if (!button) return;
  const root = document.documentElement;
  const name = () => (ORDER.includes(root.dataset.theme ?? "") ? (root.dataset.theme ?? "system") : "system");
  const label = () => button.setAttribute("aria-label", `Colours: ${NAMES[name()]}. Change`);
  button.hidden = false;
  label();
  button.addEventListener("click", () => {
    const next = ORDER[(ORDER.indexOf(name()) + 1) % ORDER.length] ?? "system";
    root.dataset.theme = next;
    // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is missing in browsers we support
    document.cookie = `theme=${next}; Path=/; Max-Age=31536000; SameSite=Lax`;
    label();
  });
}

themeButton();

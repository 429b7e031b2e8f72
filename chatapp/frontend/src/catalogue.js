/** Pages about models: a form whose work takes long says so, and is not sent twice. */

for (const form of document.querySelectorAll("form[data-busy]")) {
  if (!(form instanceof HTMLFormElement)) continue;
  const button = form.querySelector("button");
  const words = button?.textContent ?? "";
  form.addEventListener("submit", () => {
    if (!button) return;
    button.disabled = true;
    button.textContent = form.dataset.busy ?? words;
  });
  // Coming back by the browser's own button shows the page as it was left.
  addEventListener("pageshow", () => {
    if (!button) return;
    button.disabled = false;
    button.textContent = words;
  });
}

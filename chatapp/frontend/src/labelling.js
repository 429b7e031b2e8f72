/** The page of labels: a key for each button. */

document.addEventListener("keydown", (event) => {
  const { target, key } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (target instanceof HTMLElement && target.matches("input, textarea, select")) return;
  const button = document.querySelector(`button[data-key="${CSS.escape(key)}"]`);
  if (button instanceof HTMLButtonElement) button.click();
});

// One label for one press: the next sentence comes with the next page.
for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
}

// Back from another page, the sentence shown may be labelled already.
window.addEventListener("pageshow", (event) => event.persisted && location.reload());

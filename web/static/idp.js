// Shows that a form is on its way and keeps it from being sent twice. Every page
// works without it.
"use strict";
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button || !button.dataset.busy) return;
  const text = button.textContent;
  button.textContent = button.dataset.busy;
  setTimeout(() => { button.disabled = true; }, 0);
  addEventListener("pageshow", () => { button.disabled = false; button.textContent = text; }, { once: true });
});

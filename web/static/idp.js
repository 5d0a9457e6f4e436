// Shows that a form is on its way and keeps it from being sent twice, or by a click
// that was meant for another window. Every page works without it.
"use strict";
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button || !button.dataset.busy) return;
  const text = button.textContent;
  button.textContent = button.dataset.busy;
  setTimeout(() => { button.disabled = true; }, 0);
  addEventListener("pageshow", () => { button.disabled = false; button.textContent = text; }, { once: true });
});

// A button that gives something away does not take the second click of a double
// click that began on another window, which has just gone from above it.
let shown = 0;
for (const name of ["pageshow", "focus"]) addEventListener(name, () => { shown = performance.now(); });
document.addEventListener("click", (event) => {
  if (event.detail > 0 && event.target.closest("[data-deliberate]") && performance.now() - shown < 500) event.preventDefault();
});

// The page of a sign-out goes on when the sites have had time to hear of it. (A refresh
// by the page itself is for browsers without scripts: others let nobody stop it.)
const next = document.querySelector("a[data-goes-on]");
if (next) setTimeout(() => location.replace(next.href), 3000);

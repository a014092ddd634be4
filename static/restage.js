// Small comforts; every page works without them.
"use strict";

document.addEventListener("click", (event) => {
  const id = event.target.closest("[data-copy]");
  if (id && navigator.clipboard) {
    navigator.clipboard.writeText(id.dataset.copy).then(() => {
      const told = document.getElementById("told");
      if (told) told.textContent = "Copied.";
    });
  }
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select");
  const filter = document.querySelector(".filters select, .filters input");
  if (event.key === "/" && !typing && filter) {
    event.preventDefault();
    filter.focus();
  }
});

const UNITS = [[60, "s", 1], [3600, "min", 60], [86400, "h", 3600], [1209600, "d", 86400]];

function relative(seconds) {
  if (seconds < 45) return "just now";
  const unit = UNITS.find(([limit]) => seconds < limit);
  return unit ? `${Math.max(1, Math.round(seconds / unit[2]))} ${unit[1]} ago` : null;
}

setInterval(() => {
  for (const time of document.querySelectorAll("time[data-relative]")) {
    const told = relative((Date.now() - Date.parse(time.dateTime)) / 1000);
    if (told) time.textContent = told;
  }
}, 30000);

// Whoever is not logged in any more is asked to; the page for it is not put into a part of this one.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.serverResponse.trimStart().toLowerCase().startsWith("<!doctype html")) {
    event.detail.shouldSwap = false;
    if (event.detail.xhr.status < 400) location.reload();
  }
});

// A live part rests while nobody looks, and while a table behind a chart is open or something in it has the focus.
document.addEventListener("htmx:beforeRequest", (event) => {
  const live = event.target;
  if (live.matches("[data-live]") && (document.hidden || live.querySelector("details[open]") || live.contains(document.activeElement))) {
    event.preventDefault();
  }
});

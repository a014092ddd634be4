// Offers the zone of this browser; the page works without it.
"use strict";

const form = document.querySelector("form[data-zone]");
const zones = form.elements.zone;
const here = Intl.DateTimeFormat().resolvedOptions().timeZone;

function say(text, ...more) {
  const told = document.createElement("p");
  told.className = "notice";
  told.append(text, ...more);
  document.getElementById("offer").replaceChildren(told);
}

function offer() {
  const choose = document.createElement("button");
  choose.type = "button";
  choose.className = "button";
  choose.textContent = `Choose ${here}`;
  choose.addEventListener("click", () => {
    zones.value = here;
    zones.focus();
    say(`${here} is chosen. It holds once you save.`);
  });
  say(`This browser is in ${here}. `, choose);
}

const known = [...zones.options].some((option) => option.value === here);
if (known && here !== form.dataset.zone) {
  if ("unchosen" in form.dataset) {
    zones.value = here;
    say(`This browser is in ${here}, so it is chosen here. It holds once you save.`);
  } else {
    offer();
  }
}

// Moves the rules of a draft by hand: by pointer, or by keys on the handle. The buttons beside them do without this.
"use strict";

const form = document.getElementById("order");
const list = form && form.querySelector(".movable");
const told = document.getElementById("moved");
const FOCUS = "restage: rule moved last";

const keys = () => [...list.children].map((rule) => rule.dataset.key);
const place = (rule) => [...list.children].indexOf(rule) + 1;

function say(rule, word) {
  told.textContent = `${rule.dataset.name} ${word}, place ${place(rule)} of ${list.children.length}.`;
}

function send(rule) {
  sessionStorage.setItem(FOCUS, rule.dataset.key);
  form.elements.order.value = keys().join(" ");
  form.submit();
}

// `lifted`: the rule that is being moved, and the order to go back to.
let lifted = null;

function lift(rule) {
  lifted = { rule, before: keys() };
  rule.classList.add("lifted");
  rule.querySelector(".handle").setAttribute("aria-pressed", "true");
  say(rule, "lifted");
}

function put(back) {
  const { rule, before } = lifted;
  lifted = null;
  rule.classList.remove("lifted");
  rule.querySelector(".handle").setAttribute("aria-pressed", "false");
  if (back) {
    for (const key of before) list.append(list.querySelector(`[data-key="${CSS.escape(key)}"]`));
    say(rule, "left where it was");
    rule.querySelector(".handle").focus();
  } else if (keys().join() !== before.join()) {
    say(rule, "put down");
    send(rule);
  } else {
    say(rule, "put down");
  }
}

// The neighbour changes places with the rule, which itself stays where it is in the document: it keeps the focus and
// the pointer.
function step(rule, down) {
  const other = down ? rule.nextElementSibling : rule.previousElementSibling;
  if (!other) return;
  if (down) rule.before(other);
  else rule.after(other);
  say(rule, "moved");
}

function press(event) {
  const rule = event.target.closest("[data-key]");
  if (event.key === " " || event.key === "Enter") {
    event.preventDefault();
    if (lifted) put(false);
    else lift(rule);
  } else if (lifted && event.key === "Escape") {
    put(true);
  } else if (lifted && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    event.preventDefault();
    step(lifted.rule, event.key === "ArrowDown");
  }
}

function middle(rule) {
  const box = rule.getBoundingClientRect();
  return box.top + box.height / 2;
}

function follow(event) {
  if (!lifted) return;
  const { rule } = lifted;
  while (rule.nextElementSibling && event.clientY > middle(rule.nextElementSibling)) step(rule, true);
  while (rule.previousElementSibling && event.clientY < middle(rule.previousElementSibling)) step(rule, false);
}

if (list) {
  for (const shown of document.querySelectorAll(".movable .handle, .by-hand")) shown.hidden = false;
  for (const handle of list.querySelectorAll(".handle")) {
    handle.addEventListener("keydown", press);
    handle.addEventListener("pointerdown", (event) => {
      if (event.button || lifted) return;
      event.preventDefault();
      handle.focus();
      lift(handle.closest("[data-key]"));
      handle.setPointerCapture(event.pointerId);
    });
    handle.addEventListener("pointermove", follow);
    handle.addEventListener("pointerup", () => lifted && put(false));
    handle.addEventListener("pointercancel", () => lifted && put(true));
  }
  const last = list.querySelector(`[data-key="${CSS.escape(sessionStorage.getItem(FOCUS) || "")}"] .handle`);
  sessionStorage.removeItem(FOCUS);
  if (last) last.focus();
}

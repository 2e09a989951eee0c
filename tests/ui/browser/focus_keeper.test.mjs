import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./scripts.mjs";

class NoObserver { observe() {} }
const { keepFocus } = load(["focus_keeper.js"], ["keepFocus"], { MutationObserver: NoObserver });

// A page of places in a row, each with a button; a place may become empty, and another page may come.
function opened() {
  const heard = {}, body = { name: "body" }, page = { body, activeElement: body };
  const place = (name, order) => {
    const one = { name, order, classList: [`st-key-${name}`], contains: (other) => other.parentElement === one };
    one.compareDocumentPosition = (other) => (other.parentElement.order > order ? 4 : 2);
    one.button = { name: `button of ${name}`, parentElement: one, classList: [], getClientRects: () => [{}] };
    return one;
  };
  let places = [place("welcome", 1), place("tour", 2), place("toolbar", 3)], heading = { name: "heading" };
  const isEmpty = new Set();
  const main = {
    contains: (node) => places.includes(node.parentElement),
    querySelectorAll: () => places.filter((one) => !isEmpty.has(one)).map((one) => one.button),
    querySelector: (selector) => places.find((one) => `.${one.classList[0]}` === selector) ?? null,
  };
  for (const one of places) { one.parentElement = main; one.button.focus = () => { page.activeElement = one.button; heard.focusin({ target: one.button }); }; }
  heading.focus = () => { page.activeElement = heading; };
  Object.assign(page, { addEventListener: (name, tell) => { heard[name] = tell; }, querySelector: () => main, getElementById: () => heading });
  const mend = keepFocus(page);
  const lose = () => { page.activeElement = body; mend(); };
  return { page, heard, places, lose, empty: (one) => isEmpty.add(one), leave: () => { places = []; } };
}

test("what was drawn again in the same place gets the focus", () => {
  const { page, places: [welcome], lose } = opened();
  welcome.button.focus();
  lose();
  assert.equal(page.activeElement.name, "button of welcome");
});

test("when a place is empty, the keyboard goes on after it", () => {
  const { page, places: [, tour], lose, empty } = opened();
  tour.button.focus();
  empty(tour);
  lose();
  assert.equal(page.activeElement.name, "button of toolbar");
});

test("on another page it goes to the heading", () => {
  const { page, places: [welcome], lose, leave } = opened();
  welcome.button.focus();
  leave();
  lose();
  assert.equal(page.activeElement.name, "heading");
});

test("who uses the mouse, or was elsewhere, keeps what they have", () => {
  const { page, places: [welcome], heard, lose } = opened();
  welcome.button.focus();
  heard.pointerdown();
  lose();
  assert.equal(page.activeElement, page.body);
  heard.focusin({ target: { parentElement: null } });
  lose();
  assert.equal(page.activeElement, page.body);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./scripts.mjs";

class NoObserver { observe() {} }
const { keepFocusInPopover } = load(["focus_keeper.js", "popover_focus.js"], ["keepFocusInPopover"], { MutationObserver: NoObserver });

// A page with a button that opens a box with two fields over it.
function opened() {
  const heard = {}, body = { name: "body" }, page = { body, activeElement: body };
  const stop = (name) => ({ name, tabIndex: 0, isConnected: true, getClientRects: () => [{}], closest: () => null, focus() { page.activeElement = this; } });
  const button = { ...stop("button"), closest: (selector) => (selector === "[role=menu]" ? null : button) };
  const [first, last] = [stop("first"), stop("last")], heading = stop("heading");
  let box;
  Object.assign(page, { addEventListener: (name, tell) => { heard[name] = tell; }, querySelector: () => box, getElementById: () => heading });
  const look = keepFocusInPopover(page);
  const open = () => { const all = [first, last]; box = { querySelectorAll: () => all, contains: (node) => all.includes(node) }; look(); };
  const press = (key, shiftKey = false) => { const event = { key, shiftKey, preventDefault() { this.stopped = true; } }; heard.keydown(event); return event.stopped; };
  return { page, heard, button, first, last, heading, open, press, look, close: () => { box = null; page.activeElement = body; look(); } };
}

test("who opens it by the keyboard is in it, and comes back", () => {
  const { page, button, open, press, first, last, close } = opened();
  button.focus();
  press("Enter");
  open();
  assert.equal(page.activeElement, first);
  last.focus();
  assert.ok(press("Tab"));
  assert.equal(page.activeElement, button);
  first.focus();
  assert.equal(press("Tab"), undefined); // the browser goes on to the next field
  close();
  assert.equal(page.activeElement, button);
});

test("what changes in it keeps the keyboard, and another page begins at its heading", () => {
  const { page, button, open, press, first, look, close, heading } = opened();
  button.focus();
  press("Enter");
  open();
  page.activeElement = page.body;
  look();
  assert.equal(page.activeElement, first);
  button.isConnected = false;
  close();
  assert.equal(page.activeElement, heading);
});

test("who opens it with the mouse stays where they are", () => {
  const { page, heard, button, open, press } = opened();
  button.focus();
  press("Tab");
  heard.pointerdown();
  open();
  assert.equal(page.activeElement, button);
});

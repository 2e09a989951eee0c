import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./scripts.mjs";

class NoObserver { observe() {} }
const { keepFocusInRow } = load(["row_focus.js"], ["keepFocusInRow"], { MutationObserver: NoObserver });

// A page with a row of three buttons; `lost` is what a browser does when the focused one is disabled.
function opened(...disabled) {
  const heard = {}, body = { name: "body" };
  const row = ["undo", "redo", "reset"].map((name, place) => ({ name, disabled: Boolean(disabled[place]), getClientRects: () => [{}] }));
  const hidden = { name: "undo for touch", disabled: false, getClientRects: () => [] };
  const page = { body, activeElement: body, addEventListener: (name, tell) => { heard[name] = tell; },
    querySelector: () => ({ querySelectorAll: () => [hidden, ...row] }) };
  for (const button of row) button.focus = () => { page.activeElement = button; heard.focusin({ target: button }); };
  const mend = keepFocusInRow(page);
  const lost = (button) => { button.disabled = true; page.activeElement = body; mend(); };
  return { page, row, mend, lost, heard };
}

test("from undo the focus goes to redo, and from redo back to undo, never to reset", () => {
  const { page, row: [undo, redo], lost, mend } = opened();
  undo.focus();
  lost(undo);
  assert.equal(page.activeElement.name, "redo");
  lost(redo);
  assert.equal(page.activeElement, page.body);
  undo.disabled = false; // which comes a moment later
  mend();
  assert.equal(page.activeElement.name, "undo");
});

test("a button that was drawn again gets its focus back", () => {
  const { page, row: [undo], mend } = opened();
  undo.focus();
  page.activeElement = page.body;
  mend();
  assert.equal(page.activeElement.name, "undo");
});

test("who is elsewhere, or uses the mouse, keeps what they have", () => {
  const { page, row: [undo], lost, heard } = opened();
  undo.focus();
  heard.focusin({ target: { name: "a field elsewhere" } });
  lost(undo);
  assert.equal(page.activeElement, page.body);
  undo.disabled = false;
  undo.focus();
  heard.pointerdown();
  lost(undo);
  assert.equal(page.activeElement, page.body);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./scripts.mjs";

const { keepOneEntryAPage } = load(["history.js"], ["keepOneEntryAPage"]);

// A browser's history, with the entries that Back would go through.
function opened(address) {
  const location = { get href() { return entries.at(-1); }, get pathname() { return new URL(entries.at(-1)).pathname; } };
  const entries = [address];
  const history = {
    pushState: (state, title, to) => entries.push(new URL(to ?? entries.at(-1), entries.at(-1)).href),
    replaceState: (state, title, to) => { entries[entries.length - 1] = new URL(to ?? entries.at(-1), entries.at(-1)).href; },
  };
  keepOneEntryAPage(history, location);
  return { history, entries };
}

test("a move of a fader is no entry of its own", () => {
  const { history, entries } = opened("http://x/?model=a");
  history.pushState({}, "", "?model=a&recipe=r");
  history.pushState({}, "", "/?model=a&recipe=s");
  history.pushState({}, "");
  assert.deepEqual(entries, ["http://x/?model=a&recipe=s"]);
});

test("another page is an entry, below any prefix", () => {
  const { history, entries } = opened("http://x/tool/?model=a");
  history.pushState({}, "", "/tool/explore");
  history.pushState({}, "", "/tool/explore?model=a");
  history.pushState({}, "", "/tool/");
  assert.deepEqual(entries, ["http://x/tool/?model=a", "http://x/tool/explore?model=a", "http://x/tool/"]);
});

test("what replaces an entry still does", () => {
  const { history, entries } = opened("http://x/?model=a");
  history.replaceState({}, "", "/explore");
  assert.deepEqual(entries, ["http://x/explore"]);
});

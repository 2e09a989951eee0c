import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./scripts.mjs";

const { loadAgainWhereLost, loadAgainWhereEmpty } = load(["lost_page.js"], ["loadAgainWhereLost", "loadAgainWhereEmpty"]);

// A window in which errors happen at chosen times; how often it was loaded again.
function opened(storage = new Map()) {
  const found = { time: 0, loads: 0 };
  const target = { addEventListener: (kind, listener) => { found[kind] = (message) => listener({ message }); } };
  const kept = { getItem: (key) => storage.get(key) ?? null, setItem: (key, value) => storage.set(key, value) };
  loadAgainWhereLost(target, { storage: kept, reload: () => { found.loads += 1; }, now: () => found.time });
  return found;
}

const BAD = "Uncaught Error: Bad delta path index 11 (should be between [0, 6])";

test("a page that lost a part is loaded again, also the next time", () => {
  const page = opened();
  page.error(BAD);
  assert.equal(page.loads, 1);
  page.time = 60_000;
  page.error(BAD);
  assert.equal(page.loads, 2);
});

test("what is lost again at once stays as it is, in the tab that was loaded again too", () => {
  const storage = new Map();
  opened(storage).error(BAD);
  const page = opened(storage);
  page.time = 5_000;
  page.error(BAD);
  assert.equal(page.loads, 0);
});

test("other errors and a browser without storage load nothing", () => {
  const page = opened();
  page.error("Uncaught TypeError: x is undefined");
  assert.equal(page.loads, 0);
  const closed = opened({ get() { throw new Error("forbidden"); } });
  closed.error(BAD);
  assert.equal(closed.loads, 0);
});

// A page at rest whose content ends so many pixels below its head; how often it was loaded again.
function sheet(below, state = "notRunning") {
  const box = (bottom) => ({ getBoundingClientRect: () => ({ bottom }) });
  const found = { time: 0, loads: 0, below, state };
  const parts = {
    "[data-testid=stApp]": { get dataset() { return { testScriptState: found.state }; } },
    ".page-head": box(100),
    ".stMainBlockContainer": { get firstElementChild() { return box(100 + found.below); } },
  };
  const kept = new Map(), storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
  found.look = loadAgainWhereEmpty(
    { querySelector: (name) => parts[name] },
    { storage, reload: () => { found.loads += 1; }, now: () => found.time, every: () => {} },
  );
  found.wait = (ms) => { for (let end = found.time + ms; found.time < end;) { found.time += 1000; found.look(); } };
  return found;
}

test("a page at rest with nothing below its head is loaded again, once in a while", () => {
  const page = sheet(0);
  page.look();
  page.wait(2_000);
  assert.equal(page.loads, 0);
  page.wait(2_000);
  assert.equal(page.loads, 1);
  page.wait(5_000);
  assert.equal(page.loads, 1);
});

test("a page that shows something, is on its way, or shows it in time stays", () => {
  for (const page of [sheet(400), sheet(0, "running")]) {
    page.wait(20_000);
    assert.equal(page.loads, 0);
  }
  const late = sheet(0);
  late.wait(2_000);
  late.below = 300;
  late.wait(20_000);
  assert.equal(late.loads, 0);
});

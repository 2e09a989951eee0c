import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./scripts.mjs";

const { loadAgainWhereLost } = load(["lost_page.js"], ["loadAgainWhereLost"]);

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

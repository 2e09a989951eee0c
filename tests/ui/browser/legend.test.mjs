import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./scripts.mjs";

const { legendEntries } = load(["legend.js"], ["legendEntries"]);
const line = { name: "this recipe, weaker and stronger", mode: "lines+markers", marker: { color: "#1", symbol: "circle" }, line: { dash: "solid" }, x: [1, 2] };
const own = { name: "your recipe", mode: "markers", marker: { color: "#2", symbol: "star" }, x: [1], meta: "own" };
const trail = { name: "where you were", mode: "lines+markers", marker: { color: "#2", symbol: "circle" }, line: { dash: "dot" }, x: [1], meta: "trail" };

test("the user's own mark comes first, under short names where there are some", () => {
  const names = { "this recipe, weaker and stronger": "this recipe" };
  assert.deepEqual(legendEntries([line, own], names).map(({ name }) => name), ["your recipe", "this recipe"]);
});

test("what has no points has no entry, and a trail has one from its second point on", () => {
  assert.deepEqual(legendEntries([{ ...own, x: [] }, trail]), []);
  assert.equal(legendEntries([{ ...trail, x: [1, 2] }])[0].line, "1.5 2.5");
});

test("marks are told apart by shape, filling and dashes", () => {
  const looks = [own, { ...own, marker: { color: "#2", symbol: "star-open" } }, line, { ...line, marker: { symbol: "square" } }];
  const shapes = legendEntries(looks).map(({ path, isOpen, line: dashes }) => `${path} ${isOpen} ${dashes}`);
  assert.equal(new Set(shapes).size, looks.length);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./scripts.mjs";

const { stripWidth } = load(["../prune/console/bank.js"], ["stripWidth"]);

test("strips share the room of their rows, between the widest and the narrowest", () => {
  assert.equal(stripWidth(4, 2, 36, 0), 5.8);
  assert.equal(stripWidth(12, 2, 30, 0), 5);
  assert.equal(stripWidth(13, 2, 35, 0), 5);
  assert.equal(stripWidth(20, 2, 34.5, 0), 3.4375);
  assert.equal(stripWidth(60, 2, 34.5, 0), 2.8);
});

test("as many strips fit into a row as were counted on, gaps included", () => {
  for (let count = 12; count <= 24; count += 1) {
    const width = stripWidth(count, 2, 35.3, 0.15);
    assert.ok(Math.ceil(count / 2) * (width + 0.15) - 0.15 <= 35.3, `${count} strips`);
  }
});

test("an empty bank has strips of some width", () => { assert.equal(stripWidth(0, 2, 34, 0.15), 5.8); });

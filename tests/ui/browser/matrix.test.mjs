// The matrix of faders: where arrows lead, and what a row or a column shows.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./scripts.mjs";

const { nextField, common } = load(["../prune/console/matrix.js"], ["nextField", "common"]);
const [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map((name) => ({ name }));
const FIELDS = [[a, b, c], [d, null, e]];

test("arrows go to the next field, past a cell without a part, and not beyond the edge", () => {
  assert.equal(nextField(FIELDS, d, [0, 1]), e);
  assert.equal(nextField(FIELDS, e, [0, -1]), d);
  assert.equal(nextField(FIELDS, c, [1, 0]), e);
  assert.equal(nextField(FIELDS, c, [0, 1]), undefined);
  assert.equal(nextField(FIELDS, b, [1, 0]), undefined);
  assert.equal(nextField(FIELDS, {}, [0, 1]), undefined);
});

test("a row shows a ratio only if all its parts have it", () => {
  assert.equal(common([0.3, 0.3]), 0.3);
  assert.equal(common([0.3, 0.31]), undefined);
  assert.equal(common([]), undefined);
});

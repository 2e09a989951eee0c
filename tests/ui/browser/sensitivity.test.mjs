// What a scan says of one part, in the unit of its metric: by hand-made numbers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./scripts.mjs";

const NAMES = ["relativeLosses", "safeLimit", "sensitivityText"];
const percent = (ratio) => `${Math.round(100 * ratio)} %`;
const { relativeLosses, safeLimit, sensitivityText } = load(["../prune/console/sensitivity.js"], NAMES, { percent });
const ACCURACY = { label: "Accuracy", dense: 0.9, isShare: true, better: "higher" };
const PERPLEXITY = { label: "Perplexity", dense: 20, isShare: false, better: "lower" };

test("accuracy is lost in points", () => {
  const losses = relativeLosses([[0.3, 0.005], [0.5, 0.123]], ACCURACY);
  assert.equal(safeLimit(losses), 0.3);
  assert.equal(sensitivityText(losses, 0.5, ACCURACY), "Removing 50 % of this part alone changed the accuracy by -12.3 points");
  assert.equal(sensitivityText(losses, 0, ACCURACY), "Of this part alone, 30 % can go for less than a point of accuracy; 50 % costs 12.3 points");
});

test("a metric without an end grows by a share of the dense model's", () => {
  const losses = relativeLosses([[0.3, 0.1], [0.5, 4]], PERPLEXITY);
  assert.deepEqual(losses, [[0.3, 0.005], [0.5, 0.2]]);
  assert.equal(safeLimit(losses), 0.3); // 0.1 of 20 is cheap, though it is ten points of an accuracy
  assert.equal(sensitivityText(losses, 0.5, PERPLEXITY), "Removing 50 % of this part alone changed the perplexity by +20.0 %");
  assert.equal(sensitivityText(losses, 0, PERPLEXITY), "Of this part alone, 30 % can go for less than 1 % of perplexity; 50 % costs 20.0 %");
  assert.equal(sensitivityText([], 0, PERPLEXITY), "");
});

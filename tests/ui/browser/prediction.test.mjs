// What is shown while a fader is dragged, before anything is measured: by hand-made numbers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./scripts.mjs";

const CONSOLE = "../prune/console/";
const { lossAt, predictedQuality } = load([`${CONSOLE}prediction.js`], ["lossAt", "predictedQuality"]);
const ACCURACY = { dense: 0.9, floor: 0.1, isShare: true, better: "higher" };
const POINTS = [[0.5, 0.2], [0.9, 0.8]];
const close = (one, other) => assert.ok(Math.abs(one - other) < 1e-9, `${one} is not ${other}`);

test("between two scanned ratios the loss is on the line between them, and nothing is lost at 0", () => {
  close(lossAt(POINTS, 0), 0);
  close(lossAt(POINTS, 0.25), 0.1);
  close(lossAt(POINTS, 0.7), 0.5);
  close(lossAt(POINTS, 0.99), 0.8);
});

test("a part that was scanned at this ratio is predicted as it was measured", () => {
  close(predictedQuality(ACCURACY, [{ points: POINTS, from: 0, to: 0.5 }], 0.9), 0.7);
  close(predictedQuality(ACCURACY, [{ points: POINTS, from: 0, to: 0.5 }], undefined), 0.7);
});

test("of what the model is better than guessing by, two parts keep the product of their shares", () => {
  const parts = [{ points: POINTS, from: 0, to: 0.5 }, { points: POINTS, from: 0, to: 0.5 }];
  close(predictedQuality(ACCURACY, parts, 0.9), 0.1 + 0.8 * 0.75 * 0.75); // each keeps (0.7 - 0.1) / 0.8
});

test("a prediction starts from what was measured, and the way back leads to where it came from", () => {
  const there = predictedQuality(ACCURACY, [{ points: POINTS, from: 0, to: 0.5 }], 0.8);
  close(there, 0.1 + 0.7 * 0.75);
  close(predictedQuality(ACCURACY, [{ points: POINTS, from: 0.5, to: 0 }], there), 0.8);
  close(predictedQuality(ACCURACY, [], 0.42), 0.42);
});

test("it never promises more than the dense model, or less than guessing", () => {
  close(predictedQuality(ACCURACY, [{ points: POINTS, from: 0.9, to: 0 }], 0.7), 0.9);
  close(predictedQuality(ACCURACY, [{ points: POINTS, from: 0, to: 0.9 }], 0.05), 0.1);
});

test("without a scan, or where a moved part was not scanned, nothing is predicted", () => {
  assert.equal(predictedQuality(null, [], 0.9), undefined);
  assert.equal(predictedQuality(ACCURACY, [{ points: undefined, from: 0, to: 0.1 }], 0.9), undefined);
  close(predictedQuality(ACCURACY, [{ points: undefined, from: 0, to: 0 }], 0.9), 0.9);
});

test("a metric that is no share, such as a perplexity, changes by the sum of what the parts cost", () => {
  const perplexity = { dense: 4, floor: 0, isShare: false, better: "lower" }, points = [[0.5, 1.5]];
  const parts = [{ points, from: 0, to: 0.5 }, { points, from: 0, to: 0.25 }];
  close(predictedQuality(perplexity, parts, 4), 6.25);
  close(predictedQuality({ ...perplexity, better: "higher" }, parts, 4), 1.75);
});

const { extended } = load(["trail.js"], ["extended"]);

test("the trail holds one point a recipe, the newest, and only the last twenty", () => {
  const point = (recipe, value) => ({ recipe, value });
  const trail = [point("a", 1), point("a", 2), point("b", 3), point("a", 4)].reduce(extended, []);
  assert.deepEqual(trail, [point("a", 2), point("b", 3), point("a", 4)]);
  const long = Array.from({ length: 50 }, (_, place) => point(place, place)).reduce(extended, []);
  assert.deepEqual(long.map(({ value }) => value), Array.from({ length: 20 }, (_, place) => place + 30));
});

const { prospectLeft } = load([`${CONSOLE}cost.js`, "prospect.js"], ["prospectLeft"]);

test("how much is left is told by the axis of the curve, where it can be counted", () => {
  const prospect = { now: { params: 60, nonzero_params: 30, macs: 5 }, dense: { params: 120, nonzero_params: 120, macs: 20 } };
  assert.equal(prospectLeft(prospect, "params"), 50);
  assert.equal(prospectLeft(prospect, "nonzero_params"), 25);
  assert.equal(prospectLeft(prospect, "macs"), 25);
  close(prospectLeft(prospect, "size"), (100 * (30 * 4 + 60 / 8)) / (120 * 4 + 120 / 8));
  assert.equal(prospectLeft(prospect, "latency"), undefined);
});

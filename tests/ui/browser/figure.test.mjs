// A figure that follows the user's own model: when Plotly draws.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./scripts.mjs";

const POINT = { subject: "m", recipe: "a", value: 0.5, low: 0.4, high: 0.6, unit: "%", left: { params: 0.7 } };

// A page whose frames and timers pass when the test says so, and a plot that notes what is drawn.
function page() {
  const listeners = [], frames = [], timers = [], drawn = [];
  const shelf = {
    values: { trail: [POINT], prospect: null },
    listen: (names, callback) => {
      const tell = () => callback(shelf.values.prospect, shelf.values.trail);
      listeners.push(tell);
      tell();
      return () => listeners.splice(0);
    },
    put: (name, value) => { shelf.values[name] = value; listeners.forEach((tell) => tell()); },
  };
  const plot = {
    parentElement: { querySelector: () => ({ remove: () => {} }) }, on: () => {}, removeListener: () => {},
    layout: { meta: { axis: "params", subject: "m", unit: "%" } }, data: [{ meta: "curve" }, { meta: "own", error_y: {} }],
  };
  const { followOwn } = load(["figure.js"], ["followOwn"], {
    shelf, paintMark: () => {}, createMark: () => {}, cancelAnimationFrame: () => {}, writeLegend: () => {}, legendEntries: () => [],
    ResizeObserver: class { observe() {} disconnect() {} },
    window: { Plotly: { restyle: (_, changes, places) => drawn.push([changes, places]) } },
    requestAnimationFrame: (callback) => frames.push(callback), setTimeout: (callback) => timers.push(callback),
  });
  const pass = () => { for (const queue of [frames, timers]) queue.splice(0).forEach((callback) => callback()); };
  return { shelf, plot, drawn, pass, follow: () => followOwn(plot) };
}

test("numbers that come with a point are on the screen before Plotly draws it, once", () => {
  const { shelf, drawn, pass, follow } = page();
  follow();
  shelf.put("trail", [POINT, { ...POINT, recipe: "b", value: 0.6 }]);
  shelf.put("trail", [POINT, { ...POINT, recipe: "b", value: 0.7 }]);
  assert.equal(drawn.length, 0, "Plotly holds up the answer");
  pass();
  assert.deepEqual(drawn.map(([{ x, y }, places]) => [x, y, places]), [[[[70]], [[70]], [1]]]);
});

test("a figure that has left the page draws no more", () => {
  const { shelf, drawn, pass, follow } = page();
  const stop = follow();
  shelf.put("trail", [POINT, { ...POINT, recipe: "b" }]);
  stop();
  pass();
  assert.equal(drawn.length, 0);
});

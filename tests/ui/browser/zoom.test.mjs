import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./scripts.mjs";

// Figures on a page, as much of them as the zoom asks for.
function page() {
  const plots = [], relayouts = [];
  const { keepZoom } = load(["zoom.js"], ["keepZoom"]);
  const plotly = { relayout: (plot, ranges) => relayouts.push([plot.name, ranges]) };
  const look = keepZoom({ querySelectorAll: () => plots }, () => plotly);
  const show = (name, key, title) => {
    const listeners = [];
    const plot = {
      name, on: (_, listener) => listeners.push(listener), closest: () => ({ className: `x st-key-${key}` }),
      layout: { xaxis: { title: { text: title }, autorange: true }, yaxis: { autorange: true } },
      zoom: (range) => {
        Object.assign(plot.layout.xaxis, { autorange: range === null, range });
        listeners.forEach((listener) => listener({ "xaxis.range[0]": 0 }));
      },
    };
    plots.splice(0, plots.length, plot);
    look();
    return plot;
  };
  return { show, relayouts };
}

test("a figure that takes the place of another gets its zoom", () => {
  const { show, relayouts } = page();
  show("first", "bars", "Channels").zoom([2, 5]);
  show("second", "bars", "Channels");
  assert.deepEqual(relayouts, [["second", { "xaxis.range": [2, 5] }]]);
});

test("a figure of another key, or with axes that mean something else, is shown whole", () => {
  const { show, relayouts } = page();
  show("first", "bars", "Channels").zoom([2, 5]);
  show("other", "dots", "Channels");
  show("second", "bars", "Heads");
  assert.deepEqual(relayouts, []);
});

test("a zoom that was reset is forgotten", () => {
  const { show, relayouts } = page();
  const first = show("first", "bars", "Channels");
  first.zoom([2, 5]);
  first.zoom(null);
  show("second", "bars", "Channels");
  assert.deepEqual(relayouts, []);
});

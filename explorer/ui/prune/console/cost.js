// Approximately what a recipe leaves: from the table of cost.py, so that the totals follow a fader without asking the server.

function roundHalfEven(number) {
  const floor = Math.floor(number);
  const rest = number - floor;
  if (rest !== 0.5) return Math.round(number);
  return floor % 2 === 0 ? floor : floor + 1;
}

// Whole units, and never the last one.
function removedUnits(ratio, units) {
  return Math.min(roundHalfEven(ratio * units), units - 1);
}

// inside: group -> the group whose units contain its own; of those that are removed it cannot remove anything again.
function keptAlong(shares, removed, inside) {
  const part = (group) => (removed[group] ?? 0) * (1 - (removed[inside[group]] ?? 0));
  return 1 - Object.entries(shares).reduce((sum, [group, share]) => sum + share * part(group), 0);
}

// channels and weights: part -> ratio; units: group -> count.
function estimate(costs, units, channels, weights) {
  const removed = {};
  for (const [group, ratio] of Object.entries(channels)) {
    if (units[group]) removed[group] = removedUnits(ratio, units[group]) / units[group];
  }
  const total = { params: 0, nonzero_params: 0, macs: 0 };
  for (const cost of costs) {
    const outputs = keptAlong(cost.outputs, removed, cost.inside);
    const both = outputs * keptAlong(cost.inputs, removed, cost.inside);
    total.params += cost.weight * both + cost.other * outputs;
    total.nonzero_params += cost.weight * both * (1 - (weights[cost.layer] ?? 0)) + cost.other * outputs;
    for (const [macs, sides] of cost.products) {
      total.macs += macs * sides.reduce((left, shares) => left * keptAlong(shares, removed, cost.inside), 1);
    }
  }
  return total;
}

function short(number) {
  const steps = [[1e9, "G"], [1e6, "M"], [1e3, "k"]];
  for (const [size, letter] of steps) {
    if (number >= size) return `${(number / size).toPrecision(3)} ${letter}`;
  }
  return String(Math.round(number));
}

// "12 of 16", "4.1 of 9.2 k": both in the unit of the larger one.
function ofAll(part, all) {
  const [size, letter] = all >= 1e6 ? [1e6, " M"] : all >= 1e4 ? [1e3, " k"] : [1, ""];
  const digits = (number) => (size === 1 ? String(number) : (number / size).toFixed(all >= 1e2 * size ? 0 : 1));
  return `${digits(part)} of ${digits(all)}${letter}`;
}

function percent(ratio) {
  const hundredths = Math.round(ratio * 10000) / 100;
  return `${Number.isInteger(hundredths) ? hundredths : hundredths.toFixed(hundredths * 10 % 1 ? 2 : 1)} %`;
}

// "91.2 %", or a number with its unit.
function qualityText(value, unit) {
  return unit === "%" ? `${(100 * value).toFixed(1)} %` : `${Number(value.toPrecision(4))} ${unit}`.trim();
}

// The console: reconciles the server's state with what the user is doing, and sends edits.
//
// Python owns the values. Strips that moved since the last acknowledged edit are pending and keep the user's value; all others
// show the server's. An edit contains every pending strip, so one that is lost on the way is sent again with the next.

const KEY_PAUSE_MS = 200; // keys held down become one edit
const MOST_STEPS = 20; // moves of an edit that the server may lack, each of which is one step of undo
const HINT = "Drag a fader up to remove more of a part; double-click it for 0 %; click its number to type one. "
  + "Keys: Tab, arrows 1 %, Page Up and Page Down 10 %, Home, End, Enter types, L locks.";

const instances = new WeakMap();

function createInstance(parent) {
  const instance = { pending: new Map(), locks: new Map(), moving: new Map(), banks: new Map(), steps: [] };
  instance.root = parent.querySelector(".console");
  instance.rows = instance.root.querySelector(".banks");
  instance.detail = instance.root.querySelector(".detail");
  instance.observer = new ResizeObserver(() => instance.banks.forEach(wrap));
  instance.observer.observe(instance.root);
  instance.handler = createHandler(instance);
  instance.root.addEventListener("focusout", () => flush(instance)); // leaving the console ends an edit
  instance.root.addEventListener("pointerleave", () => { instance.described = undefined; paintDetail(instance); });
  return instance;
}

function createHandler(instance) {
  return {
    move: (key, ratio) => { move(instance, key, ratio); paint(instance); },
    release: (options) => release(instance, options),
    set: (keys, ratio, options) => { setAll(instance, keys, ratio); release(instance, options); },
    toggleLock: (key) => toggleLock(instance, key),
    describe: (key) => { instance.described = key; paintDetail(instance); },
    bank: (name) => instance.data.banks.find((bank) => bank.name === name),
  };
}

function* strips(instance) {
  for (const bank of instance.data.banks) {
    for (const strip of bank.strips) yield { bank, strip, key: `${bank.name}/${strip.id}` };
  }
}

const held = (instance, map, key) => instance[map].get(key)?.value;
const shownRatio = (instance, key, strip) => instance.moving.get(key) ?? held(instance, "pending", key) ?? strip.ratio;
const shownLock = (instance, key, strip) => held(instance, "locks", key) ?? strip.locked;

// A linked bank moves by the same amount, from the position of each strip at the start of the drag.
function move(instance, key, ratio) {
  const name = key.split("/", 1)[0];
  const view = instance.banks.get(name);
  if (!instance.origin) instance.origin = new Map([...strips(instance)].map((s) => [s.key, shownRatio(instance, s.key, s.strip)]));
  const delta = ratio - instance.origin.get(key);
  for (const { bank, strip, key: other } of strips(instance)) {
    if (other === key) instance.moving.set(key, strip.switch === undefined ? ratio : ratio > 0 ? strip.switch : 0);
    else if (view.linked && bank.name === name && follows(instance, view, strip, other)) {
      instance.moving.set(other, follow(instance.origin.get(other), delta, strip));
    }
  }
}

// The cells of a matrix: those that may move get one ratio, in one edit.
function setAll(instance, keys, ratio) {
  const wanted = new Set(keys);
  for (const { strip, key } of strips(instance)) {
    if (!wanted.has(key) || strip.frozen || shownLock(instance, key, strip)) continue;
    instance.moving.set(key, strip.switch === undefined ? ratio : ratio > 0 ? strip.switch : 0);
  }
  paint(instance);
}

function follows(instance, view, strip, key) {
  return !strip.frozen && !shownLock(instance, key, strip) && !view.strips.get(strip.id).root.hidden;
}

function follow(origin, delta, strip) {
  if (strip.switch === undefined) return step(origin + delta);
  return delta > 0 ? strip.switch : delta < 0 ? 0 : origin;
}

// Sends moves by keys at once, instead of after a pause.
function flush(instance) {
  if (instance.timer) release(instance);
}

function release(instance, { soon = false } = {}) {
  clearTimeout(instance.timer);
  instance.timer = undefined;
  if (soon) { instance.timer = setTimeout(() => release(instance), KEY_PAUSE_MS); return; }
  instance.origin = undefined;
  if (instance.moving.size === 0) return;
  const changed = [...strips(instance)].filter(({ strip, key }) => {
    const before = held(instance, "pending", key) ?? strip.ratio;
    return instance.moving.has(key) && Math.abs(instance.moving.get(key) - before) > 1e-9;
  });
  const moved = new Map(changed.map(({ key }) => [key, instance.moving.get(key)]));
  instance.moving.clear();
  if (moved.size > 0) send(instance, "pending", moved);
  paint(instance);
}

function toggleLock(instance, key) {
  const found = [...strips(instance)].find((item) => item.key === key);
  send(instance, "locks", new Map([[key, !shownLock(instance, key, found.strip)]]));
  paint(instance);
}

function send(instance, map, changes) {
  const sequence = shelf.protocol.next();
  for (const [key, value] of changes) instance[map].set(key, { value, sequence });
  if (map === "pending") instance.steps.push({ seq: sequence, values: byBank(new Map([...changes].map(([key, value]) => [key, { value }]))) });
  const edit = { seq: sequence, values: byBank(instance.pending), locks: byBank(instance.locks), steps: instance.steps.slice(-MOST_STEPS) };
  shelf.edit(instance.name, edit, map === "pending"); // the answer arrives before the run of the page that handles the move
  if (instance.root.isConnected) instance.setTriggerValue("edit", edit);
}

function byBank(map) {
  const banks = {};
  for (const [key, { value }] of map) {
    const cut = key.indexOf("/");
    (banks[key.slice(0, cut)] ??= {})[key.slice(cut + 1)] = value;
  }
  return banks;
}

// The server's message at a move is short: the rest of each strip was sent before, once per model (facts) or scan (findings).
function whole(state, facts, findings) {
  const banks = facts.banks.filter((bank) => bank.name in state.banks).map((bank) => ({
    ...bank, note: findings.notes?.[bank.name] ?? "",
    strips: bank.strips.map((strip) => {
      const told = state.banks[bank.name][strip.id] ?? {};
      const sensitivity = findings.sensitivity?.[bank.name]?.[strip.id], losses = relativeLosses(sensitivity, findings.quality);
      return { ...strip, ratio: 0, locked: false, ...told, units: told.of ?? strip.units, sensitivity, losses };
    }),
  }));
  return { ...state, banks, costs: facts.costs, quality: findings.quality };
}

function receive(instance, data) {
  shelf.taken(data.taken);
  if (instance.data && instance.data.session !== data.session) {
    instance.pending.clear();
    instance.locks.clear();
    instance.steps = [];
  }
  for (const map of [instance.pending, instance.locks]) {
    for (const [key, { sequence }] of map) if (sequence <= data.taken) map.delete(key);
  }
  instance.steps = instance.steps.filter(({ seq }) => seq > data.taken);
  instance.data = data;
  shelf.put("banks", data.banks);
  remember(instance);
  build(instance);
  paint(instance);
}

// Elements are rebuilt only when the parts differ: a strip that is being dragged must stay the same element.
function build(instance) {
  const names = JSON.stringify(instance.data.banks.map((bank) => [bank.name, bank.strips.map((strip) => strip.id)]));
  if (names === instance.names) return;
  instance.names = names;
  instance.moving.clear();
  instance.banks = new Map(instance.data.banks.map((bank) => [bank.name, createBank(bank, instance.handler)]));
  instance.rows.replaceChildren(...[...instance.banks.values()].map((view) => view.root));
  instance.data.banks.forEach((bank) => arrange(instance.banks.get(bank.name), bank));
}

function paint(instance) {
  for (const { bank, strip, key } of strips(instance)) {
    const bankView = instance.banks.get(bank.name), view = bankView.strips.get(strip.id);
    const ratio = shownRatio(instance, key, strip), locked = shownLock(instance, key, strip);
    paintStrip(view, strip, ratio, locked, bank.title);
    if (bankView.matrix) paintCell(bankView.matrix, strip, ratio, locked);
  }
  for (const bank of instance.data.banks) {
    const view = instance.banks.get(bank.name);
    if (view.matrix) paintGroups(view.matrix);
    paintBank(view, bank);
  }
  countUnderHand(instance);
  paintDetail(instance);
}

// What the faders leave, counted from a table: exact numbers follow once they are measured.
function countUnderHand(instance) {
  const { costs, exact } = instance.data;
  const units = {}, maps = { channel: {}, weight: {} };
  for (const { bank, strip, key } of strips(instance)) {
    maps[bank.name][strip.id] = shownRatio(instance, key, strip);
    if (bank.name === "channel") units[strip.id] = strip.units;
  }
  const dense = estimate(costs, {}, {}, {});
  const waiting = instance.moving.size > 0 || instance.pending.size > 0 || !exact;
  const now = waiting ? estimate(costs, units, maps.channel, maps.weight) : exact;
  foresee(instance, waiting, now, dense);
}

// What the recipe under the hand is likely to be, for the cards and the curve; null while the measured numbers are those of the faders.
function foresee(instance, waiting, now, dense) {
  if (!waiting) { if (shelf.values.prospect) shelf.put("prospect", null); return; }
  const { quality, otherRepair, rule } = instance.data;
  const measured = instance.measured?.rule === rule ? instance.measured : undefined;
  const parts = [...strips(instance)].map(({ strip, key }) => ({
    points: strip.sensitivity, from: measured?.ratios.get(key) ?? 0, to: shownRatio(instance, key, strip),
  }));
  const value = otherRepair ? undefined : predictedQuality(quality, parts, measured?.value);
  shelf.put("prospect", { now, dense, quality: value, label: quality?.label, unit: quality?.unit, otherRepair, isHeld: instance.moving.size > 0 });
}

// The last measured value and the ratios that it belongs to, from which a prediction starts.
function remember(instance) {
  const { exact, rule } = instance.data;
  if (exact?.quality === undefined || exact.quality === null) return;
  instance.measured = { value: exact.quality, rule, ratios: new Map([...strips(instance)].map(({ strip, key }) => [key, strip.ratio])) };
}

function paintDetail(instance) {
  const key = instance.described;
  const found = [...strips(instance)].find((item) => item.key === key);
  instance.detail.textContent = found ? describe(instance, key, found) : [...instance.banks.values()].some(isMatrix) ? MATRIX_HINT : HINT;
}

function describe(instance, key, found) {
  const lines = describeStrip(found.strip);
  if (shownLock(instance, key, found.strip)) lines.push("Locked: allocators, presets and linked moves leave it alone; unlock it to move it.");
  const costs = sensitivityText(found.strip.losses, shownRatio(instance, key, found.strip), instance.data.quality);
  if (costs) lines.push(costs);
  return lines.join("  ·  ");
}

function renderConsole(component) {
  const { parentElement, name, data, setTriggerValue } = component;
  if (!instances.has(parentElement)) instances.set(parentElement, createInstance(parentElement));
  const instance = instances.get(parentElement);
  Object.assign(instance, { name, setTriggerValue, state: data });
  instance.observer.observe(instance.root);
  instance.stop?.();
  instance.stop = shelf.listen(["facts", "findings"], (facts, findings) => {
    if (facts.id === instance.state.facts) receive(instance, whole(instance.state, facts, findings));
  });
  return () => {
    instance.stop();
    instance.observer.disconnect();
    shelf.put("prospect", null);
    setTimeout(() => { if (!instance.root.isConnected) flush(instance); }); // the user left the page
  };
}

// One strip: its elements, what they show, and what pointer and keyboard do to it.
// A handler is { move(key, ratio), release(), toggleLock(key), describe(key) }; strips store no values.

const MAXIMUM = 0.99; // steps of one per cent; type finer values

function element(tag, className, attributes = {}) {
  const node = document.createElement(tag);
  node.className = className;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function createStrip(key, handler) {
  const view = { key, root: element("div", "strip") };
  view.readout = element("input", "readout", { type: "text", inputmode: "decimal", spellcheck: "false", tabindex: "-1" });
  view.track = element("div", "track", { tabindex: "0", "aria-keyshortcuts": "Enter L" });
  view.removed = element("div", "removed");
  view.achieved = element("div", "achieved");
  view.thumb = element("div", "thumb");
  view.limit = element("div", "limit");
  view.track.append(element("div", "groove"), view.removed, view.limit, view.achieved, view.thumb);
  view.units = element("div", "units");
  view.label = element("div", "label");
  view.label.append(element("span", "upper"), element("span", "lower"));
  view.lock = element("button", "lock", { type: "button", tabindex: "-1" });
  view.root.append(view.readout, view.track, view.units, view.label, view.lock);
  listen(view, handler);
  return view;
}

function listen(view, handler) {
  const { key, root, track, readout, lock } = view;
  root.addEventListener("pointerenter", () => handler.describe(key));
  root.addEventListener("focusin", () => handler.describe(key));
  lock.addEventListener("click", () => handler.toggleLock(key));
  listenPointer(view, handler);
  track.addEventListener("keydown", (event) => onKey(view, handler, event));
  readout.addEventListener("focus", () => readout.select());
  readout.addEventListener("keydown", (event) => {
    if (event.key === "Escape") readout.value = percent(view.ratio);
    if (event.key === "Enter" || event.key === "Escape") track.focus();
  });
  readout.addEventListener("change", () => typed(view, handler));
}

function typed(view, handler) {
  const number = Number.parseFloat(view.readout.value.replace(",", "."));
  if (!Number.isFinite(number)) { view.readout.value = percent(view.ratio); return; }
  handler.move(view.key, Math.min(Math.max(number / 100, 0), 0.9999));
  handler.release();
  view.readout.value = percent(view.ratio);
}

function listenPointer(view, handler) {
  const { track, key } = view;
  let start = null; // { y, ratio, length } while a pointer holds the fader
  track.addEventListener("pointerdown", (event) => {
    if (!view.movable || event.button !== 0) return;
    track.setPointerCapture(event.pointerId);
    const onThumb = event.composedPath().includes(view.thumb);
    if (view.switch !== undefined) { handler.move(key, view.ratio > 0 ? 0 : view.switch); return; }
    if (!onThumb) handler.move(key, ratioAt(track, event.clientY));
    start = { y: event.clientY, ratio: view.ratio, length: travel(track) };
    view.root.classList.add("held");
  });
  track.addEventListener("pointermove", (event) => {
    if (!start) return;
    handler.move(key, step(start.ratio + (start.y - event.clientY) / start.length));
  });
  for (const name of ["pointerup", "pointercancel"]) {
    track.addEventListener(name, () => { start = null; view.root.classList.remove("held"); handler.release(); });
  }
  track.addEventListener("dblclick", () => { if (view.movable && view.switch === undefined) { handler.move(key, 0); handler.release(); } });
}

function travel(track) {
  return track.clientHeight - track.querySelector(".thumb").offsetHeight;
}

function ratioAt(track, y) {
  const box = track.getBoundingClientRect();
  const margin = (box.height - travel(track)) / 2;
  return step((box.bottom - margin - y) / travel(track));
}

function step(ratio) {
  return Math.min(Math.max(Math.round(ratio * 100) / 100, 0), MAXIMUM);
}

const KEY_STEPS = { ArrowUp: 0.01, ArrowRight: 0.01, ArrowDown: -0.01, ArrowLeft: -0.01, PageUp: 0.1, PageDown: -0.1 };

function onKey(view, handler, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key.toLowerCase() === "l" && !view.lock.hidden) handler.toggleLock(view.key);
  if (!view.movable) return;
  if (event.key === "Enter" && view.switch === undefined) {
    event.preventDefault();
    view.readout.focus();
    return;
  }
  const ratio = view.switch === undefined ? faderKey(view.ratio, event.key) : switchKey(view, event.key);
  if (ratio === undefined) return;
  event.preventDefault();
  handler.move(view.key, ratio);
  handler.release({ soon: true });
}

function faderKey(ratio, key) {
  if (key === "Home") return 0;
  if (key === "End") return MAXIMUM;
  return key in KEY_STEPS ? step(ratio + KEY_STEPS[key]) : undefined;
}

function switchKey(view, key) {
  if (key === " " || key === "Enter") return view.ratio > 0 ? 0 : view.switch;
  if (key === "Home" || key === "ArrowDown") return 0;
  return key === "End" || key === "ArrowUp" ? view.switch : undefined;
}

// strip: as sent by the server; ratio, locked: as shown now, which may be ahead of it; bank: its title.
function paintStrip(view, strip, ratio, locked, bank) {
  // hundreds of strips are asked to redraw when one moves
  if (view.strip === strip && view.ratio === ratio && view.locked === locked) return;
  Object.assign(view, { strip, locked });
  Object.assign(view, { ratio, switch: strip.switch, movable: !strip.frozen && !locked });
  const { root, track } = view;
  root.classList.toggle("frozen", Boolean(strip.frozen));
  root.classList.toggle("locked", locked);
  root.classList.toggle("switch", strip.switch !== undefined);
  root.classList.toggle("touched", ratio > 0);
  root.style.setProperty("--ratio", strip.switch === undefined ? ratio : ratio > 0 ? 1 : 0);
  paintLabels(view, strip, ratio, locked);
  paintAchieved(view, strip, ratio);
  track.style.setProperty("--sensitivity", sensitivityGradient(strip.losses));
  const limit = safeLimit(strip.losses);
  view.limit.hidden = limit === undefined;
  track.style.setProperty("--limit", limit ?? 0);
  ariaTrack(track, strip, ratio, locked, bank);
}

function paintLabels(view, strip, ratio, locked) {
  const text = strip.switch === undefined ? percent(ratio) : ratio > 0 ? "on" : "off";
  if (view.root.getRootNode().activeElement !== view.readout) view.readout.value = text;
  view.readout.disabled = !view.movable || strip.switch !== undefined;
  view.readout.setAttribute("aria-label", `${strip.id}: per cent removed`);
  const [upper, lower] = view.label.children;
  [upper.textContent, lower.textContent] = strip.label;
  view.root.title = describeStrip(strip).join("\n");
  view.units.textContent = unitsText(strip, ratio);
  view.lock.setAttribute("aria-pressed", String(locked));
  view.lock.setAttribute("aria-label", `${locked ? "Unlock" : "Lock"} ${strip.id}`);
  view.lock.hidden = Boolean(strip.frozen);
}

function keptUnits(strip, ratio) {
  if (ratio === strip.ratio && strip.kept !== undefined) return strip.kept;
  return strip.units - removedUnits(ratio, strip.units);
}

function unitsText(strip, ratio) {
  if (strip.frozen) return "fixed";
  return ofAll(keptUnits(strip, ratio), strip.units);
}

function paintAchieved(view, strip, ratio) {
  const known = strip.achieved !== undefined && ratio === strip.ratio;
  const differs = known && Math.abs(strip.achieved - ratio) >= 0.005;
  view.achieved.hidden = !differs;
  // rounding to whole units needs no note
  const surprising = differs && Math.abs(strip.achieved - ratio) > 0.5 / strip.units + 1e-4;
  view.root.classList.toggle("differs", surprising);
  view.root.style.setProperty("--achieved", differs ? strip.achieved : 0);
}

// What a hand has just found out comes first: the place for it has two lines.
function describeStrip(strip) {
  const lines = [strip.id];
  if (strip.frozen) lines.push(`Cannot be pruned: ${strip.frozen}.`);
  if (strip.reason) lines.push(`Achieved ${percent(strip.achieved)} instead of ${percent(strip.ratio)}: ${strip.reason}.`);
  return [...lines, ...(strip.details ?? [])];
}

function ariaTrack(track, strip, ratio, locked, bank) {
  const isSwitch = strip.switch !== undefined;
  track.setAttribute("role", isSwitch ? "switch" : "slider");
  track.setAttribute("aria-label", `${bank}: ${describeStrip(strip).join(". ")}`);
  track.setAttribute("aria-disabled", String(Boolean(strip.frozen) || locked));
  if (isSwitch) { track.setAttribute("aria-checked", String(ratio > 0)); return; }
  const text = `${percent(ratio)} removed, ${unitsText(strip, ratio)} ${strip.unit}s kept`;
  const values = { orientation: "vertical", valuemin: 0, valuemax: 99, valuenow: Math.round(ratio * 1000) / 10, valuetext: text };
  for (const [name, value] of Object.entries(values)) track.setAttribute(`aria-${name}`, value);
}

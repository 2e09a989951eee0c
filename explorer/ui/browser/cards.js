// Cards side by side: a number, its change, small print, and how it can mislead. While the hand moves a fader, and until the first
// measured number is there, they show what the console expects, marked as such.
const AMOUNTS = { Parameters: "params", MACs: "macs" };
const COSTS = ["Parameters", "File size", "MACs", "Latency"]; // they follow the metric
const COUNTED = "counted as you drag", ON_RELEASE = "measured when you let go", SOON = "being measured …";

function renderCards({ parentElement, data }) {
  const room = parentElement.querySelector(".cards");
  const draw = (moves, prospect) => {
    const older = data.older || shelf.protocol.isOlder(data.taken);
    const isExpected = prospect && (prospect.isHeld || older || !data.order);
    room.classList.toggle("older", older && !isExpected);
    room.classList.toggle("predicted", Boolean(isExpected));
    room.dataset.words = isExpected ? "" : data.words ?? "";
    const cards = (data.order ?? [data.heading ?? "Accuracy", ...COSTS]).map((label) => data[label] ?? { label, notes: [] });
    fillCards(room, isExpected ? cards.map((card, place) => expected(card, place, prospect, data.point)) : data.order ? cards : [], older);
  };
  shelf.taken(data.taken);
  if (data.point && !data.older) keepPoint(data.point);
  const stop = shelf.listen(["moves", "prospect"], draw); // which draws
  const aloud = data.older || !data.order ? "" : headline(data[data.order[0]]);
  if (aloud !== shelf.values.headline) shelf.put("headline", aloud);
  const observer = new ResizeObserver(() => [...room.children].forEach(fitNotes));
  observer.observe(room);
  return () => { stop(); observer.disconnect(); };
}

// The first card in words, to be read aloud.
function headline({ label, value, change, notes }) {
  const moved = change ? `, ${change.startsWith("-") ? "down" : "up"} ${change.replace(/^[-+]/, "")}, ${notes[0]}` : "";
  return `${label} ${value}${moved}`;
}

function keepPoint(point) {
  if (point.value === null) return;
  const all = shelf.values.trail, trail = all[0]?.subject === point.subject ? all : [];
  if (JSON.stringify(trail.at(-1)) !== JSON.stringify(point)) shelf.put("trail", extended(trail, point));
}

// A card with what is expected in place of what was measured of the recipe before.
function expected(card, place, prospect, point) {
  const { now, dense, quality, isHeld, otherRepair } = prospect;
  const counted = (value, all) => ({ ...card, value, change: shareText(all), notes: [isHeld ? COUNTED : SOON], isGuess: true });
  if (place === 0) return expectedQuality(card, prospect, quality, isHeld, otherRepair);
  const amount = AMOUNTS[card.label];
  if (amount) {
    const drawn = counted(short(now[amount]), now[amount] / dense[amount] - 1);
    return { ...drawn, notes: [...(amount === "params" ? nonZero(now, dense) : []), ...drawn.notes] };
  }
  if (card.label === "File size") {
    const whole = point?.bytes ?? 4 * dense.params, left = whole - 4 * (dense.params - now.params);
    return counted(`${short(left)}B`, left / whole - 1);
  }
  return { ...card, value: "…", change: null, notes: [isHeld ? ON_RELEASE : SOON] };
}

function expectedQuality(card, { unit, label }, quality, isHeld, otherRepair) {
  const when = isHeld ? ON_RELEASE : SOON;
  const named = { ...card, label: label ?? card.label, change: null };
  if (quality === undefined) return { ...named, value: "…", notes: [when, otherRepair ? "the scan is of cuts without this repair" : "no scan to predict it from"] };
  return { ...named, value: qualityText(quality, unit), notes: ["predicted from each part alone", when], isGuess: true };
}

// Of single weights that become zero, the parameters say nothing.
function nonZero(now, dense) {
  const share = shareText(now.nonzero_params / dense.nonzero_params - 1);
  return now.nonzero_params < now.params * 0.9995 ? [`${short(now.nonzero_params)} of them non-zero (${share})`] : [];
}

// The arrow is the sign.
function arrowed(change) {
  const arrow = { "-": "↓ ", "+": "↑ " }[change[0]] ?? "";
  return `${arrow}${arrow ? change.slice(1) : change}`;
}

function shareText(share) {
  return Math.abs(share) < 0.0005 ? null : `${share < 0 ? "-" : "+"}${Math.abs(100 * share).toFixed(1)} %`;
}

function fillCards(room, cards, older) {
  while (room.children.length > cards.length) room.lastChild.remove();
  cards.forEach((card, place) => {
    const view = room.children[place] ?? room.appendChild(emptyCard(place));
    fillCard(view, card, older && !room.classList.contains("predicted"));
  });
}

function emptyCard(place) {
  const view = document.createElement("section");
  view.className = "card";
  view.setAttribute("role", "group");
  view.innerHTML = `<div class="head"><span class="label"></span><button class="why" type="button" aria-describedby="trap-${place}">?</button>`
    + `<span class="trap" id="trap-${place}" role="tooltip"></span></div><div class="figures"><div class="value"></div><div class="change"></div></div><div class="notes"></div>`;
  return view;
}

function fillCard(view, card, older) {
  const part = (name) => view.querySelector(`.${name}`);
  part("label").textContent = card.label;
  view.setAttribute("aria-label", card.label);
  part("why").setAttribute("aria-label", `About ${card.label}`);
  part("trap").textContent = [...card.notes, "", shelf.values.traps?.[card.label] ?? shelf.values.traps?.Metric ?? ""].join("\n");
  part("value").textContent = card.value;
  part("change").textContent = older || !card.change ? "" : arrowed(card.change);
  part("change").className = `change ${card.isGuess ? "" : colourOf(card)}`;
  writeNotes(view, older ? ["of the previous recipe"] : card.notes);
  view.classList.toggle("guess", Boolean(card.isGuess));
}

function writeNotes(view, notes) {
  const written = notes.join("\n");
  if (view.dataset.notes === written) return;
  view.dataset.notes = written;
  view.querySelector(".notes").replaceChildren(...notes.map((note) => Object.assign(document.createElement("div"), { textContent: note })));
  fitNotes(view);
}

// Shows as many notes as have room, each of them whole; all of them are told beside the question mark.
function fitNotes(view) {
  const notes = view.querySelector(".notes"), lines = [...notes.children];
  for (const line of lines) line.hidden = false;
  for (let last = lines.length - 1; last > 0 && notes.scrollHeight > notes.clientHeight + 1; last--) lines[last].hidden = true;
}

function colourOf(card) {
  if (card.colour === "off" || !card.change) return "";
  return card.change.startsWith("-") === (card.colour === "inverse") ? "good" : "bad";
}

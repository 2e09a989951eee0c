// Cards side by side: a number, its change, small print, and how it can mislead.

function renderCards({ parentElement, data }) {
  const room = parentElement.querySelector(".cards");
  const draw = () => {
    const older = data.older || shelf.protocol.isOlder(data.taken);
    room.classList.toggle("older", older);
    fillCards(room, data, older);
  };
  shelf.taken(data.taken);
  return shelf.listen(["moves"], draw); // which draws
}

function fillCards(room, data, older) {
  room.dataset.words = data.words ?? "";
  const cards = (data.order ?? []).map((label) => data[label]);
  while (room.children.length > cards.length) room.lastChild.remove();
  cards.forEach((card, place) => {
    const view = room.children[place] ?? room.appendChild(emptyCard(place));
    fillCard(view, card, older);
  });
}

function emptyCard(place) {
  const view = document.createElement("section");
  view.className = "card";
  view.innerHTML = `<div class="head"><span class="label"></span><button class="why" type="button" aria-describedby="trap-${place}">?</button>`
    + `<span class="trap" id="trap-${place}" role="tooltip"></span></div><div class="figures"><div class="value"></div><div class="change"></div></div><div class="notes"></div>`;
  return view;
}

function fillCard(view, card, older) {
  const part = (name) => view.querySelector(`.${name}`);
  part("label").textContent = card.label;
  part("why").setAttribute("aria-label", `About ${card.label}`);
  part("trap").textContent = [...card.notes, "", shelf.values.traps?.[card.label] ?? ""].join("\n");
  part("value").textContent = card.value;
  part("change").textContent = older || !card.change ? "" : `${card.change.startsWith("-") ? "↓" : "↑"} ${card.change}`;
  part("change").className = `change ${colourOf(card)}`;
  part("notes").textContent = older ? "of the previous recipe" : card.notes.join("\n");
}

function colourOf(card) {
  if (card.colour === "off" || !card.change) return "";
  return card.change.startsWith("-") === (card.colour === "inverse") ? "good" : "bad";
}

// The script of all elements, sent once: a message that stays the same is not sent again. An element itself is a stub that
// finds its renderer here. Values that several elements read lie here too.

const shelf = (window.pruningExplorer ??= { renderers: {}, values: {}, listeners: new Set(), told: {}, drawn: {}, owed: 0 });

shelf.put = (name, value) => {
  shelf.values[name] = value;
  for (const listener of [...shelf.listeners]) listener(name);
};

// Calls back with the values of all names as soon as they are all there, and again whenever one changes; returns a stop.
shelf.listen = (names, callback) => {
  const tell = () => { if (names.every((name) => name in shelf.values)) callback(...names.map((name) => shelf.values[name])); };
  const listener = (name) => { if (names.includes(name)) tell(); };
  shelf.listeners.add(listener);
  tell();
  return () => shelf.listeners.delete(listener);
};

// What an element is to show: all of it from a run of the page, or the parts that changed from the answer to a question. An
// older turn changes nothing.
shelf.tell = (name, turn, value, isPart = false) => {
  const known = shelf.told[name];
  if (known && turn <= known.turn) return;
  shelf.told[name] = { turn, value: isPart ? { ...known?.value, ...value } : value };
  shelf.drawn[name]?.();
};

// The hand has let go of a fader: until the server speaks of this or a later move, its numbers are of an older recipe.
shelf.letGo = (generation) => {
  shelf.owed = generation + 1;
  shelf.arrive(generation);
  shelf.ask?.(true); // the answer comes sooner than the run of the page that takes the move
};

// The server speaks of the recipe after so many moves.
shelf.arrive = (generation) => {
  shelf.put("generation", generation);
  document.documentElement.toggleAttribute("data-older-numbers", generation < shelf.owed);
};

// A renderer that finds its markup in place, under its style.
shelf.furnished = (render, markup, style) => (component) => {
  const parent = component.parentElement;
  const room = parent.querySelector(".room");
  if (markup && room && !room.firstElementChild) {
    room.innerHTML = markup;
    if (style) {
      const sheet = document.createElement("style");
      sheet.textContent = style;
      room.prepend(sheet);
    }
  }
  return component.data.turn === undefined ? render(component) : follow(component, render);
};

// Draws an element whenever it is told something new, whichever way that came.
function follow(component, render) {
  const { name, turn, value } = component.data;
  let stop;
  const draw = () => { stop?.(); stop = render({ ...component, data: shelf.told[name].value }); };
  shelf.drawn[name] = undefined;
  shelf.tell(name, turn, value);
  shelf.drawn[name] = draw;
  draw();
  shelf.ask?.();
  return () => { if (shelf.drawn[name] === draw) delete shelf.drawn[name]; stop?.(); };
}

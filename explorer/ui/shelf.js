// The script of all elements, sent once: a message that stays the same is not sent again. An element itself is a stub that
// finds its renderer here. Values that several elements read lie here too.

const shelf = (window.pruningExplorer ??= { renderers: {}, values: {}, listeners: new Set() });

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
  return render(component);
};

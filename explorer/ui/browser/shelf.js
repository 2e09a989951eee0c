// The script of all elements, sent once: an unchanged message is not sent again. An element itself is a stub that
// finds its renderer here. Values that several elements read are kept here too.
const shelf = (window.pruningExplorer ??= createShelf());

function createShelf() {
  keepOneEntryAPage(window.history, window.location);
  watchZoom();
  keepFocusInRow(document);
  keepFocus(document);
  keepFocusInPopover(document);
  const browser = {
    get storage() { return window.sessionStorage; },
    reload: () => window.location.reload(),
    now: () => Date.now(),
    every: (pause, look) => setInterval(look, pause),
  };
  loadAgainWhereLost(window, browser);
  loadAgainWhereEmpty(document, browser);
  const renderers = {}, values = { moves: 0, prospect: null, trail: [], headline: "" }, listeners = new Set(), mounted = new Map(), protocol = createProtocol();

  const put = (name, value) => {
    values[name] = value;
    for (const listener of [...listeners]) listener(name);
  };

  // Calls back with the values of all names once they are all there, and again when one changes; returns a function that stops this.
  const listen = (names, callback) => {
    const tell = () => { if (names.every((name) => name in values)) callback(...names.map((name) => values[name])); };
    const listener = (name) => { if (names.includes(name)) tell(); };
    listeners.add(listener);
    tell();
    return () => listeners.delete(listener);
  };

  const moved = () => {
    const owed = protocol.owed();
    if (owed === values.moves) return;
    document.documentElement.toggleAttribute("data-older-numbers", owed > 0);
    put("moves", owed);
  };

  const shown = {
    theme: followTheme(document),
    renderers, values, put, listen, protocol,
    mounted: () => mounted.keys(),

    // A run of the page, or the ticker, speaks for this session.
    session: (name) => { if (protocol.begin(name)) moved(); },

    // The parts of elements in an answer.
    told: (parts) => {
      for (const [name, { turn, value }] of Object.entries(parts)) {
        if (protocol.part(name, turn, value)) mounted.get(name)?.();
      }
    },

    // The user has moved faders: the server is told by the next question, and by a run of the page.
    edit: (name, message, isMove) => {
      protocol.edit(name, message, isMove);
      moved();
      shown.ask?.(true);
    },
    // The server has all edits up to this one.
    taken: (sequence) => {
      protocol.taken(sequence);
      moved();
    },

    // A renderer whose markup and style are in place.
    furnished: (render, markup, style) => (component) => {
      furnish(component.parentElement, markup, style);
      return component.data.turn === undefined ? render(component) : follow(component, render);
    },
  };

  // Draws an element whenever it gets something new, whichever way that came.
  function follow(component, render) {
    const { name, session, turn, value } = component.data;
    let stop;
    const draw = () => {
      stop?.();
      stop = render({ ...component, name, data: protocol.shown(name) ?? {} });
    };
    shown.session(session);
    mounted.set(name, draw);
    protocol.whole(name, turn, value);
    draw();
    shown.ask?.();
    return () => {
      if (mounted.get(name) === draw) mounted.delete(name);
      stop?.();
    };
  }

  return shown;
}

function furnish(parent, markup, style) {
  const room = parent.querySelector(".room");
  if (!markup || !room || room.firstElementChild) return;
  room.innerHTML = markup;
  if (style) {
    const sheet = document.createElement("style");
    sheet.textContent = style;
    room.prepend(sheet);
  }
}

// The first stop of the Tab key leads past the menu to the content; a narrow window begins without the sidebar.
const NARROW_PX = 1000;

shelf.skipLink = () => {
  if (document.querySelector(".skip-link")) return;
  const link = document.createElement("a");
  Object.assign(link, { className: "skip-link", href: "#page-title", textContent: "Skip to the content" });
  link.addEventListener("click", (event) => { event.preventDefault(); document.getElementById("page-title")?.focus(); });
  document.body.prepend(link);
};

shelf.makeRoom = () => {
  if (shelf.roomy || window.innerWidth >= NARROW_PX) return;
  const button = document.querySelector('[data-testid="stSidebarCollapseButton"] button[aria-expanded="true"]');
  if (button) { shelf.roomy = true; button.click(); }
};

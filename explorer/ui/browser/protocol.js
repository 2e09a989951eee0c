// What this browser and the server know about each other. Nothing here touches the screen or the network, so that each state can
// be tested by itself. The other side is live/protocol.py.
//
// Elements. Turns count the changes within a session. To the browser, each element is
//   unknown   nothing was sent about it in this session, or
//   shown     at a turn, with a value: an object, which may be empty.
// A run of the page sends the whole value; an answer sends the parts that changed since the turn in the question, also within
// objects; a part that is null was removed, and lists are sent as a whole. An older turn changes nothing. The same turn again
// (an element that was mounted again) is drawn.
//
// Moves. The user's moves of the faders are numbered edits; `taken` is the last one that the server has. Moves are
//   settled   the server has the last one, so its numbers belong to the recipe that the faders show, or
//   owed      it has not. Each question contains the last edit until the server has it, so that none is lost.
//
// Sessions. When another session sends something (the server was restarted, a link was opened), all of this starts over:
// elements are unknown and moves are settled. An answer to a question of another session changes nothing.
function createProtocol() {
  const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

  // Returns the known value with a part put into it; the old value is not changed, since something may be drawing it.
  const merged = (known, part) => {
    const made = isObject(known) ? { ...known } : {};
    for (const [key, value] of Object.entries(part)) {
      if (value === null) delete made[key];
      else made[key] = isObject(value) ? merged(made[key], value) : value;
    }
    return made;
  };

  let session, elements, edits;

  // True if this is another session than before.
  const begin = (name) => {
    if (name === session) return false;
    session = name;
    elements = new Map();
    edits = { taken: 0, last: 0, move: 0, unsent: undefined };
    return true;
  };
  begin(undefined);

  const newer = (name, turn) => turn >= (elements.get(name)?.turn ?? 0);

  return {
    begin,
    isOf: (name) => name === session,

    // True if the element is to be drawn.
    whole: (name, turn, value) => {
      if (!newer(name, turn)) return false;
      elements.set(name, { turn, value });
      return true;
    },
    part: (name, turn, value) => {
      if (turn <= (elements.get(name)?.turn ?? 0)) return false;
      elements.set(name, { turn, value: merged(elements.get(name)?.value, value) });
      return true;
    },
    shown: (name) => elements.get(name)?.value,
    turns: (names) => Object.fromEntries([...names].map((name) => [name, elements.get(name)?.turn ?? 0])),

    // The number of the next edit.
    next: () => Math.max(edits.last, edits.taken) + 1,
    // An edit of an element; a move changes numbers, other edits (a lock) do not.
    edit: (name, message, isMove) => {
      edits.last = message.seq;
      if (isMove) edits.move = message.seq;
      edits.unsent = { name, message };
    },
    // The server has all edits up to this one.
    taken: (sequence) => {
      if (sequence > edits.taken) edits.taken = sequence;
      if (edits.unsent && edits.unsent.message.seq <= edits.taken) edits.unsent = undefined;
    },
    unsent: () => edits.unsent,
    // The last move that the server does not have, or 0.
    owed: () => (edits.move > edits.taken ? edits.move : 0),
    // Whether numbers for all moves up to this one belong to an older recipe than the faders show.
    isOlder: (sequence) => sequence < edits.move,
  };
}

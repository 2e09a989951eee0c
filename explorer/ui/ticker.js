// Asks the server for news while a job runs; the server says how long to wait before each question.
const answered = new WeakMap(); // element -> the last turn that was asked

function renderTicker({ data, parentElement, setTriggerValue }) {
  if (!data.busy || answered.get(parentElement) === data.turn) return undefined;
  const ask = () => { answered.set(parentElement, data.turn); setTriggerValue("tick", data.turn); };
  const timer = setTimeout(ask, data.pause);
  return () => clearTimeout(timer);
}

// Puts what it was sent onto the shelf, for other elements.
function renderValue({ data }) {
  shelf.put(data.name, data.value);
}

// Builds the document. Data becomes text nodes and attributes only, never markup, so that nothing in it can run.

/**
 * Makes an element.
 * @param {string} tag
 * @param {Object} attributes by name; functions named on… become listeners, true an empty attribute, false and null none.
 * @param {...(Node|string|number|null)} children strings and numbers become text; null is left out.
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null && value !== undefined)
      made.setAttribute(name, value === true ? '' : value);
  }
  made.append(
    ...children
      .flat()
      .filter((child) => child !== null)
      .map((child) => (typeof child === 'number' ? `${child}` : child)),
  );
  return made;
}

/** Makes an SVG element. */
export function drawing(tag, attributes = {}, ...children) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** A select with a label that is read aloud. `choices` are pairs of value and text. */
export function choice(label, choices, value, onchange) {
  const options = choices.map(([key, text]) => element('option', {value: key, selected: key === value}, text));
  return element('select', {'aria-label': label, onchange: (event) => onchange(event.target.value)}, ...options);
}

/** Replaces the content of an element only if `signature` has changed, so that focus and scroll survive polling. */
export function refill(parent, signature, make) {
  if (parent.dataset.signature === signature) return false;
  const focused = parent.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  parent.dataset.signature = signature;
  parent.replaceChildren(...make());
  if (focused) [...parent.querySelectorAll('[data-key]')].find((one) => one.dataset.key === focused)?.focus();
  return true;
}

/** A number as people read it: four significant digits. */
export function shown(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return value.toLocaleString('en');
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(3) : String(Number(value.toPrecision(5)));
}

/** A number beside an axis, short: 0.25, 20,000, 1e7. */
export function brief(value) {
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-3 && size < 1e6)) return shown(value);
  return value
    .toExponential(3)
    .replace(/\.?0*e/, 'e')
    .replace('e+', 'e');
}

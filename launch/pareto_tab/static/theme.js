// Light or dark: as TensorBoard's own page is, and where the tab stands alone as the system prefers.

const system = window.matchMedia('(prefers-color-scheme: dark)');

/** The class list of TensorBoard's page, which carries `dark-mode`; null where the tab stands alone. */
function around() {
  try {
    return window.parent !== window ? window.parent.document.body : null;
  } catch {
    return null; // Embedded by a page of another origin, as notebooks do.
  }
}

/** Follows the theme, calling `onchange` whenever it changes. */
export function follow(onchange) {
  const page = around();
  const apply = () => {
    const dark = page?.classList.contains('dark-mode') ?? system.matches;
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
    onchange();
  };
  if (page) new MutationObserver(apply).observe(page, {attributes: true, attributeFilter: ['class']});
  else system.addEventListener('change', apply);
  apply();
}

/** The colours of the style sheet, for the canvas. */
export function palette() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    ink: read('ink'),
    faint: read('faint'),
    grid: read('grid'),
    paper: read('paper'),
    failed: read('failed'),
    accent: read('accent'),
    runs: Array.from({length: 6}, (_, i) => read(`run-${i}`)),
    font: style.getPropertyValue('font-family'),
  };
}

const STOPS = [
  [68, 1, 84],
  [59, 82, 139],
  [33, 145, 140],
  [94, 201, 98],
  [253, 231, 37],
]; // viridis

/** Colours from the worst to the best value, as many as `count`; readable on light and dark ground. */
export function ramp(count) {
  const dark = document.documentElement.dataset.theme === 'dark';
  const [first, last] = dark ? [0.22, 1] : [0, 0.9];
  return Array.from({length: count}, (_, k) => {
    const place = (first + ((last - first) * k) / Math.max(count - 1, 1)) * (STOPS.length - 1);
    const i = Math.min(Math.floor(place), STOPS.length - 2);
    const mixed = STOPS[i].map((value, channel) => Math.round(value + (STOPS[i + 1][channel] - value) * (place - i)));
    return `rgb(${mixed.join(' ')})`;
  });
}

// Finds trials in a drawn picture: under the pointer, along a front, or next to one in some direction.

const REACH = 12; // pixels
const STEP = 2; // pixels; the least that a step in a direction moves

/** Pixel of a trial in a picture, also outside of its area; null for one without the metrics. */
export function placeOf(picture, scene, run, position) {
  if (!picture.scales) return null;
  const [x, y] = ['x', 'y'].map((name) => picture.scales[name].at(run.column(scene.axes[name].metric)[position]));
  if (Number.isFinite(x) && Number.isFinite(y)) return {x, y};
  if (!picture.strip || !picture.stripAt) return null;
  return {x: picture.stripAt(run.order.data[position]), y: picture.strip.top + picture.strip.height / 2};
}

/** The trial under a pixel: one of a front before any other; null if nothing is near. */
export function under(picture, scene, x, y) {
  if (picture.strip && y >= picture.strip.top - 2) return inStrip(picture, scene, x);
  let best = null;
  const look = (run, position, bonus) => {
    const place = placeOf(picture, scene, run, position);
    const distance = place ? Math.hypot(place.x - x, place.y - y) : Infinity;
    if (distance <= REACH && (!best || distance - bonus < best.distance))
      best = {run, position, distance: distance - bonus};
  };
  for (const {run, front} of scene.runs) for (const position of front) look(run, position, 4);
  for (const [run, {scored, failed}] of picture.layers) {
    for (const cells of [scored, failed]) cells.around(x, y, REACH, (position) => look(run, position, 0));
  }
  return best && {run: best.run, position: best.position};
}

function inStrip(picture, scene, x) {
  let best = null;
  for (const [run, {strip}] of picture.layers) {
    for (const position of strip) {
      const distance = Math.abs(picture.stripAt(run.order.data[position]) - x);
      if (distance <= REACH / 2 && (!best || distance < best.distance)) best = {run, position, distance};
    }
  }
  return best && {run: best.run, position: best.position};
}

/** The front of a run from left to right. */
export function walkable(scene, index) {
  const {run, front} = scene.runs[index];
  const xs = run.column(scene.axes.x.metric);
  return [...front].sort((a, b) => xs[a] - xs[b]);
}

/** The next trial along the fronts for an arrow key, Home or End: left and right on a front, up and down between runs. */
export function along(scene, selected, key) {
  const fronts = scene.runs.map((_, index) => walkable(scene, index));
  const filled = fronts.map((front, index) => (front.length ? index : -1)).filter((index) => index >= 0);
  if (!filled.length) return null;
  let index = scene.runs.findIndex(({run}) => run === selected?.run);
  if (index < 0 || !fronts[index].length) index = filled[0];
  let step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: 1, ArrowDown: -1}[key] ?? 0;
  const before = selected ? fronts[index].indexOf(selected.position) : -1;
  if (filled.length > 1 && (key === 'ArrowUp' || key === 'ArrowDown')) {
    index = filled[(filled.indexOf(index) + step + filled.length) % filled.length];
    step = 0;
  }
  const front = fronts[index],
    last = front.length - 1;
  const target =
    key === 'Home'
      ? 0
      : key === 'End'
        ? last
        : before < 0
          ? step < 0
            ? last
            : 0
          : Math.min(Math.max(before + step, 0), last);
  return {run: scene.runs[index].run, position: front[Math.min(target, last)]};
}

/** The nearest drawn trial to the left, right, above or below of another one. */
export function beside(picture, scene, selected, key) {
  const from = selected && placeOf(picture, scene, selected.run, selected.position);
  if (!from) return along(scene, selected, 'Home');
  const [dx, dy] = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[key];
  let best = null;
  for (const [run, {scored, failed}] of picture.layers) {
    const xs = run.column(scene.axes.x.metric),
      ys = run.column(scene.axes.y.metric);
    for (const cells of [scored, failed]) {
      for (const first of cells.head) {
        for (let position = first; position >= 0; position = cells.next[position]) {
          const x = picture.scales.x.at(xs[position]) - from.x,
            y = picture.scales.y.at(ys[position]) - from.y;
          const ahead = x * dx + y * dy,
            aside = Math.abs(x * dy) + Math.abs(y * dx);
          if (ahead >= STEP && aside <= ahead && (!best || ahead + aside < best.distance))
            best = {run, position, distance: ahead + aside};
        }
      }
    }
  }
  return best ? {run: best.run, position: best.position} : selected;
}

// Sorts the trials of a run into cells of the picture, once a drawing: what is drawn, counted and found is the same.

export const CELL = 4; // pixels
const SEARCHED = 400; // trials of one cell that are looked at to find the nearest

/** Trials by cell: counts, sums of the third metric, and linked lists of positions. */
class Cells {
  constructor(area, count) {
    this.area = area;
    this.columns = Math.max(1, Math.ceil(area.width / CELL));
    this.rows = Math.max(1, Math.ceil(area.height / CELL));
    const size = this.columns * this.rows;
    this.counts = new Uint32Array(size);
    this.sums = new Float64Array(size);
    this.known = new Uint32Array(size);
    this.head = new Int32Array(size).fill(-1);
    this.next = new Int32Array(count);
    this.total = 0;
  }

  add(position, x, y, z) {
    const column = Math.min(((x - this.area.left) / CELL) | 0, this.columns - 1);
    const row = Math.min(((y - this.area.top) / CELL) | 0, this.rows - 1);
    const cell = row * this.columns + column;
    this.counts[cell]++;
    this.next[position] = this.head[cell];
    this.head[cell] = position;
    if (z === z) {
      // Not NaN.
      this.sums[cell] += z;
      this.known[cell]++;
    }
    this.total++;
  }

  /** Calls `visit(position)` for the trials in the cells around a point. */
  around(x, y, radius, visit) {
    const [left, top] = [x - this.area.left, y - this.area.top];
    const first = Math.max(0, Math.floor((left - radius) / CELL)),
      last = Math.min(this.columns - 1, Math.floor((left + radius) / CELL));
    const high = Math.max(0, Math.floor((top - radius) / CELL)),
      low = Math.min(this.rows - 1, Math.floor((top + radius) / CELL));
    for (let row = high; row <= low; row++) {
      for (let column = first; column <= last; column++) {
        let position = this.head[row * this.columns + column];
        for (let looked = 0; position >= 0 && looked < SEARCHED; looked++, position = this.next[position])
          visit(position);
      }
    }
  }

  /** Calls `visit(x, y, count, mean)` for each cell with trials: its corner, how many, the mean of the third metric. */
  each(visit) {
    for (let cell = 0; cell < this.counts.length; cell++) {
      if (!this.counts[cell]) continue;
      const x = this.area.left + (cell % this.columns) * CELL,
        y = this.area.top + Math.floor(cell / this.columns) * CELL;
      visit(x, y, this.counts[cell], this.known[cell] ? this.sums[cell] / this.known[cell] : NaN);
    }
  }
}

/** What trials that failed are counted and chosen by. */
export function reasonKey(status, reason) {
  return `${status}\n${reason}`;
}

/**
 * Sorts a run's trials as of some time.
 * @param {Run} run
 * @param {{x: Scale, y: Scale}} scales
 * @param {Object} area of the picture in pixels: left, top, width, height.
 * @param {{x: string, y: string, z: string|null}} metrics
 * @param {number} time how many trials had been fed back.
 * @param {Set<string>} wanted keys of the failures to draw.
 * @returns {Object} cells of scored and of failed trials, positions without place, counts.
 */
export function sorted(run, scales, area, metrics, time, wanted) {
  const ok = run.statuses.indexOf('ok'),
    width = run.reasons.length + 1;
  const failures = new Uint32Array(run.statuses.length * width);
  const drawn = Uint8Array.from(failures, (_, i) => {
    const status = run.statuses[Math.floor(i / width)],
      reason = run.reasons[(i % width) - 1] ?? '';
    return wanted.has(reasonKey(status, reason)) ? 1 : 0;
  });
  const [xs, ys, zs] = [metrics.x, metrics.y, metrics.z].map((name) => (name ? run.column(name) : null));
  const scored = new Cells(area, run.count),
    failed = new Cells(area, run.count),
    strip = [];
  const [order, status, reason] = [run.order.data, run.status.data, run.reason.data];
  const right = area.left + area.width,
    bottom = area.top + area.height;
  let trials = 0,
    feasible = 0,
    outside = 0;
  for (let i = 0; i < run.count; i++) {
    if (order[i] >= time) continue;
    trials++;
    const fine = status[i] === ok;
    if (fine) feasible++;
    else {
      const kind = status[i] * width + reason[i] + 1;
      failures[kind]++;
      if (!drawn[kind]) continue;
    }
    const nowhere = xs[i] !== xs[i] || ys[i] !== ys[i];
    if (nowhere) {
      if (!fine) strip.push(i);
      continue;
    }
    const x = scales.x.at(xs[i]),
      y = scales.y.at(ys[i]);
    if (x >= area.left && x <= right && y >= area.top && y <= bottom)
      (fine ? scored : failed).add(i, x, y, zs ? zs[i] : NaN);
    else outside++;
  }
  const counts = new Map();
  failures.forEach((count, i) => {
    if (count) counts.set(reasonKey(run.statuses[Math.floor(i / width)], run.reasons[(i % width) - 1] ?? ''), count);
  });
  return {scored, failed, strip, trials, feasible, outside, counts};
}

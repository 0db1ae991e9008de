// From values to pixels: ranges that extreme trials cannot spoil, linear or logarithmic scales, ticks.

const MARGIN = 0.06;
const LOGARITHMIC_FROM = 1000; // largest over smallest value of a range
const SAMPLE = 4000;
const ENOUGH = 8; // values from which some can be called unusual

/** An axis: `at(value)` is the pixel of a value, `value(pixel)` the inverse. */
export class Scale {
  constructor(low, high, from, to, logarithmic) {
    this.low = low;
    this.high = high;
    this.logarithmic = logarithmic;
    this._from = from;
    this._origin = logarithmic ? Math.log(low) : low;
    this._slope = (to - from) / ((logarithmic ? Math.log(high) : high) - this._origin);
  }

  at(value) {
    return this._from + ((this.logarithmic ? Math.log(value) : value) - this._origin) * this._slope;
  }

  value(pixel) {
    const found = this._origin + (pixel - this._from) / this._slope;
    return this.logarithmic ? Math.exp(found) : found;
  }

  /** About `count` round values inside of the range. */
  ticks(count) {
    return this.logarithmic && this.high / this.low > 10
      ? decades(this.low, this.high, count)
      : steps(this.low, this.high, count);
  }
}

function steps(low, high, count) {
  const rough = (high - low) / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) found.push(Number((k * step).toPrecision(12)));
  return found;
}

function decades(low, high, count) {
  const first = Math.ceil(Math.log10(low)),
    last = Math.floor(Math.log10(high));
  const stride = Math.max(1, Math.ceil((last - first + 1) / Math.max(count, 1)));
  const found = [];
  for (let exponent = first; exponent <= last; exponent += stride) found.push(10 ** exponent);
  return found.length > 1 ? found : steps(low, high, count);
}

/**
 * A range that shows the front and most of the other trials.
 * @param {number[]} front values that have to be inside.
 * @param {Float64Array[]} columns of all trials, NaN where missing.
 * @param {number} sign 1 where less is better, -1 where more is: the worst values are cut off.
 * @returns {{low: number, high: number}} or null without any value.
 */
export function rangeOf(front, columns, sign) {
  const sample = [];
  for (const column of columns) {
    const stride = Math.max(1, Math.floor(column.length / SAMPLE));
    for (let i = 0; i < column.length; i += stride) if (Number.isFinite(column[i])) sample.push(column[i]);
  }
  sample.sort((a, b) => a - b);
  const inside = front.filter(Number.isFinite);
  if (sample.length)
    inside.push(...usual(sign > 0 ? sample : sample.map((value) => -value).reverse()).map((value) => sign * value));
  if (!inside.length) return null;
  return {low: inside.reduce((a, b) => Math.min(a, b)), high: inside.reduce((a, b) => Math.max(a, b))};
}

/** The best and the worst usual one of sorted costs: no further out than the box of the middle half reaches five times. */
function usual(costs) {
  const at = (share) => costs[Math.floor(share * (costs.length - 1))];
  const [low, high] = [at(0.25), at(0.75)];
  const fence = costs.length >= ENOUGH && high > low ? high + 5 * (high - low) : Infinity;
  const limit = Math.min(fence, costs.length >= ENOUGH ? at(0.98) : Infinity);
  return [costs[0], costs.findLast((value) => value <= limit)];
}

/** Whether a range is better shown on a logarithmic scale. */
export function isWide({low, high}) {
  return low > 0 && high / low >= LOGARITHMIC_FROM;
}

/** A range with a margin around it, never empty. */
export function widened({low, high}, logarithmic) {
  if (logarithmic) {
    const factor = Math.max(high / low, 1.1) ** MARGIN;
    return {low: low / factor, high: high * factor};
  }
  const margin = (high - low) * MARGIN || Math.abs(low) * 0.1 || 1;
  return {low: low - margin, high: high + margin};
}

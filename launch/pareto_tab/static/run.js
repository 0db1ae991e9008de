// One run: its trials in growing columns, its front's history, its hypervolume. Fetches only what is new.

import {ask} from './server.js';

const FIRST_CAPACITY = 1024;

/** A typed array that grows. */
class Column {
  constructor(type) {
    this.type = type;
    this.data = new type(FIRST_CAPACITY);
    this.length = 0;
  }

  append(values) {
    const needed = this.length + values.length;
    if (needed > this.data.length) {
      const larger = new this.type(Math.max(needed, 2 * this.data.length));
      larger.set(this.data);
      this.data = larger;
    }
    // JSON has no NaN: what is missing comes as null.
    for (let i = 0; i < values.length; i++) this.data[this.length + i] = values[i] === null ? NaN : values[i];
    this.length = needed;
  }
}

export class Run {
  /** @param {Object} description one of the route `runs`. */
  constructor(description) {
    Object.assign(this, description);
    this.known = [];
    this.events = {trial: [], entered: [], left: []};
    this.volume = {evaluations: [], seconds: [], value: []};
    this._over = '';
    this._reset([]);
  }

  /** Whether its trials may have a metric. */
  has(metric) {
    return this.known.includes(metric) || this.objectives.some((one) => one.metric === metric);
  }

  _reset(metrics) {
    this.count = this.total = 0;
    this.edition = '';
    this.statuses = [];
    this.reasons = [];
    this.trial = new Column(Int32Array);
    this.order = new Column(Int32Array);
    this.status = new Column(Uint8Array);
    this.reason = new Column(Int32Array);
    this.values = Object.fromEntries(metrics.map((name) => [name, new Column(Float64Array)]));
    this._positions = new Map();
    this._last = this._looked = 0;
    this._front = this._volume = '';
  }

  /** Position of a trial in the columns, or undefined. */
  position(trial) {
    for (let i = this._positions.size; i < this.count; i++) this._positions.set(this.trial.data[i], i);
    return this._positions.get(trial);
  }

  /** One more than the latest moment at which a trial was fed back. */
  last() {
    for (; this._looked < this.count; this._looked++)
      this._last = Math.max(this._last, this.order.data[this._looked] + 1);
    return this._last;
  }

  /** The values of a metric; a column of NaN where this run does not have it. */
  column(metric) {
    return this.values[metric]?.data ?? new Float64Array(this.count).fill(NaN);
  }

  /**
   * Brings the columns up to date, calling `onpart` after each part of a long answer.
   * @returns {boolean} whether anything is new.
   */
  async update(metrics, onpart) {
    const names = [...new Set([...Object.keys(this.values), ...metrics.filter((name) => this.has(name))])];
    const before = this.count;
    let anew = names.some((name) => !(name in this.values)); // All columns again: they are to be of one length.
    for (let more = true; more;) {
      const part = await ask('points', {
        run: this.name,
        since: anew ? 0 : this.count,
        edition: this.edition,
        metric: names,
      });
      if (anew || part.edition !== this.edition || part.since !== this.count) this._reset(names);
      anew = false;
      this._append(part);
      more = part.more;
      if (more) onpart();
    }
    return this.count !== before;
  }

  _append(part) {
    this.edition = part.edition;
    this.statuses = part.statuses;
    this.reasons = part.reasons;
    this.known = part.known;
    this.total = part.total;
    for (const name of ['trial', 'order', 'status', 'reason']) this[name].append(part[name]);
    for (const [name, column] of Object.entries(this.values)) column.append(part.metrics[name]);
    this.count += part.trial.length;
  }

  /** Fetches the front's history over some metrics, if it is not the one here. Directions are 'minimize' or 'maximize'. */
  async updateFront(metrics, directions) {
    const key = JSON.stringify([metrics, directions, this.edition, this.count]);
    if (key === this._front) return;
    if (metrics.every((name) => this.has(name))) {
      this.events = await ask('front', {run: this.name, metric: metrics, direction: directions});
    } else {
      this.events = {trial: [], entered: [], left: []};
    }
    this._front = key;
    this._over = JSON.stringify([metrics, directions]);
  }

  /** Fetches the hypervolume, if there are new trials. */
  async updateVolume() {
    const key = `${this.edition}/${this.count}`;
    if (key === this._volume) return;
    this.volume = await ask('hypervolume', {run: this.name});
    this._volume = key;
  }

  /** Positions of the trials on the front over some metrics once the first `time` trials had been fed back. */
  frontAt(time, metrics, directions) {
    if (this._over !== JSON.stringify([metrics, directions])) return []; // Asked for, and not here yet.
    const {trial, entered, left} = this.events;
    const found = [];
    for (let i = 0; i < trial.length; i++) {
      if (entered[i] < time && (left[i] === null || left[i] >= time)) {
        const position = this.position(trial[i]);
        if (position !== undefined) found.push(position);
      }
    }
    return found;
  }
}

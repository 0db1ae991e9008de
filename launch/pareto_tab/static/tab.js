// The tab: keeps what is chosen, asks the server for what is new, and draws.

import {ask} from './server.js';
import {cardOf} from './card.js';
import {Chart} from './chart.js';
import {firstAxes, firstRuns, signOf, spanned} from './choosing.js';
import {refill, shown} from './dom.js';
import {layout} from './layout.js';
import {Run} from './run.js';
import {fillAxes, fillFailures, fillRuns} from './sidebar.js';
import {Slider} from './slider.js';
import {fillTable} from './table.js';
import {fillVolume} from './volume.js';

const LOOK_FOR_RUNS = 6000; // milliseconds
const HUES = 6,
  SHAPES = 4;

export class Tab {
  constructor() {
    this.runs = new Map(); // by name, in the server's order
    this.chosen = new Set();
    this.axes = null;
    this.view = this.time = this.selected = this.card = null;
    this.wanted = new Set();
    this.problem = '';
    this.times = {first: null, all: null, drawing: null}; // milliseconds since the frame began, and of the last drawing
    this._listed = -Infinity;
    this._refreshing = null;
    this.slider = new Slider((time) => this._set({time}));
    this.chart = new Chart({
      onselect: (selected) => this._select(selected),
      onopen: ({run, position}) => this.open(run, run.trial.data[position]),
      onzoom: (view) => this._set({view}),
    });
    this.page = layout(this.chart, this.slider);
    this.page.root.addEventListener('keydown', (event) => event.key === 'Escape' && this.card && this.close());
    this.page.reset.addEventListener('click', () => this._set({view: null}));
  }

  /** Runs that are chosen, with their looks and their fronts at the time of the slider. */
  scene() {
    const time = this.time ?? Infinity,
      {names, directions} = spanned(this.axes);
    const runs = this._readable().map((run, i) => {
      return {run, front: run.frontAt(time, names, directions), hue: i % HUES, shape: i % SHAPES, control: run.control};
    });
    return {runs, axes: this.axes, view: this.view, time, wanted: this.wanted, selected: this.selected};
  }

  _set(change) {
    Object.assign(this, change);
    cancelAnimationFrame(this._frame);
    this._frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    const began = performance.now();
    this._draw();
    this.times.drawing = performance.now() - began;
    if ([...this.chart.picture.layers.values()].some((layer) => layer.trials)) this.times.first ??= performance.now();
    if (this.ready) this.times.all ??= performance.now();
  }

  _draw() {
    const scene = this.scene(),
      {page} = this;
    const looks = new Map(scene.runs.map(({run, hue, shape}) => [run.name, {hue, shape}]));
    fillRuns(page.runs, [...this.runs.values()], looks, (name, on) => this._choose(name, on));
    refill(page.problem, this.problem, () => [this.problem]);
    page.problem.hidden = !this.problem;
    page.root.classList.toggle('empty', !scene.runs.length || !scene.axes);
    if (!scene.runs.length || !scene.axes) {
      const words = !this.ready
        ? 'reading …'
        : this.runs.size
          ? 'Choose a run.'
          : 'No run folder has been found below the log folder yet.';
      refill(page.note, words, () => [words]);
      return;
    }
    this.chart.draw(scene);
    fillAxes(page.axes, this.axes, this.metrics(), (name, change) => this._axis(name, change));
    const counts = new Map(),
      layers = [...this.chart.picture.layers.values()];
    for (const layer of layers)
      for (const [key, count] of layer.counts) counts.set(key, (counts.get(key) ?? 0) + count);
    fillFailures(page.failures, counts, this.wanted, (keys, on) => this._want(keys, on));
    this.slider.show(this.time, Math.max(...scene.runs.map(({run}) => run.last())));
    fillTable(page.front, scene, ({run, position}) => {
      this._select({run, position});
      this.open(run, run.trial.data[position]);
    });
    fillVolume(page.volume, scene.runs);
    this._notes(scene, layers);
    page.reset.hidden = !this.view;
  }

  /** What the picture and the hypervolume are of, in words. */
  _notes({runs}, layers) {
    const sum = (name) => layers.reduce((total, layer) => total + layer[name], 0);
    const loaded = runs.reduce((total, {run}) => total + run.count, 0);
    const total = runs.reduce((most, {run}) => most + run.total, 0);
    const parts = [`${shown(sum('trials'))} trials`, `${shown(sum('feasible'))} scored in full`];
    if (sum('outside')) parts.push(`${shown(sum('outside'))} outside of the picture`);
    if (loaded < total) parts.push(`reading the other ${shown(total - loaded)} …`);
    const words = loaded || this.ready ? parts.join(', ') : 'reading …';
    refill(this.page.note, words, () => [words]);
    const objectives = [...new Set(runs.flatMap(({run}) => run.objectives.map((one) => one.metric)))].join(', ');
    const control = runs.some((one) => one.control) ? '; dashed: random search, the control' : '';
    refill(this.page.volumeNote, objectives + control, () => [`of the objectives ${objectives}${control}`]);
  }

  /** The chosen runs that can be read, in the server's order. */
  _readable() {
    return [...this.runs.values()].filter((run) => this.chosen.has(run.name) && !run.error);
  }

  /** Metrics to choose from: those of the chosen runs. */
  metrics() {
    return [...new Set(this._readable().flatMap((run) => [...run.objectives.map((one) => one.metric), ...run.known]))];
  }

  _choose(name, on) {
    this.chosen[on ? 'add' : 'delete'](name);
    if (!this.axes || !this.metrics().includes(this.axes.x.metric)) this.axes = null;
    this._set({view: null});
    this.refresh();
  }

  _axis(name, change) {
    const axis = {...(this.axes[name] ?? {scale: 'auto', sign: 1}), ...change};
    if (change.metric) axis.sign = signOf(change.metric, this._readable());
    this.axes = {...this.axes, [name]: change.metric === '' ? null : axis};
    // A metric on two axes has one direction.
    for (const other of Object.values(this.axes)) if (other && other.metric === axis.metric) other.sign = axis.sign;
    this._set({view: null});
    this.refresh();
  }

  _want(keys, on) {
    for (const key of keys) this.wanted[on ? 'add' : 'delete'](key);
    this._set({});
  }

  _select(selected) {
    this.selected = selected;
    this.chart.select(selected);
  }

  /** Opens the card of a trial of a run. */
  async open(run, trial, back = document.activeElement) {
    this._back = this.card ? this._back : back;
    try {
      const card = await ask('card', {run: run.name, trial});
      this.card = {run, trial};
      this.page.card.replaceChildren(
        ...cardOf(card, run.name, {onopen: (other) => this.open(run, other), onclose: () => this.close()}),
      );
      this.page.root.classList.add('with-card');
      this.page.card.hidden = false;
      this.page.card.scrollTop = 0;
      document.getElementById('card-title').focus({preventScroll: true});
      const position = run.position(trial);
      if (position !== undefined) this._select({run, position});
    } catch (error) {
      this._set({problem: error.message});
    }
  }

  close() {
    this.card = null;
    this.page.card.hidden = true;
    this.page.root.classList.remove('with-card');
    (this._back?.isConnected ? this._back : this.chart.stage).focus();
    this._set({});
  }

  /** Asks the server for whatever is new; while that goes on, once more afterwards. */
  refresh() {
    if (this._refreshing) this._again = true;
    else
      this._refreshing = this._refresh()
        .catch((error) => this._set({problem: error.message}))
        .finally(() => {
          this._refreshing = null;
          if (this._again) {
            this._again = false;
            this.refresh();
          }
        });
    return this._refreshing;
  }

  /** Resolves once what has been asked for is here and drawn. */
  async settled() {
    while (this._refreshing) await this._refreshing;
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  }

  async _refresh() {
    if (performance.now() - this._listed > LOOK_FOR_RUNS) await this._list();
    const runs = this._readable();
    if (!this.axes && runs.length) this.axes = firstAxes(runs[0]);
    const {names, directions} = spanned(this.axes);
    let problem = '';
    await Promise.all(
      runs.map(async (run) => {
        try {
          await run.update(names, () => this._set({}));
          await run.updateFront(names, directions);
          this._set({});
          await run.updateVolume();
        } catch (error) {
          problem = `${run.name}: ${error.message}`;
        }
      }),
    );
    this.ready = true;
    this._set({problem});
  }

  async _list() {
    const {runs} = await ask('runs');
    const known = this.runs;
    this.runs = new Map(
      runs.map((one) => {
        const old = known.get(one.name);
        return [
          one.name,
          old && old.error === one.error ? old : one.error ? {...one, objectives: [], known: []} : new Run(one),
        ];
      }),
    );
    for (const name of this.chosen) if (!this.runs.has(name)) this.chosen.delete(name);
    if (!known.size) for (const run of firstRuns([...this.runs.values()])) this.chosen.add(run.name);
    this._listed = performance.now();
  }
}

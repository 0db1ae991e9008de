// Draws the scene on a canvas: axes, trials as a density or as single marks, fronts, and the strip of failures.

import {brief, shown} from './dom.js';
import {CELL, sorted} from './layers.js';
import {cross, legend, mark} from './marks.js';
import {Scale, isWide, rangeOf, widened} from './scale.js';
import {palette, ramp} from './theme.js';

const SINGLE_MARKS = 4000; // trials; more are drawn as a density
const STRIP = 18; // pixels
const COLOURS = 48;

/** Where everything is: areas, scales and, after a drawing, the sorted trials of each run. */
export class Picture {
  constructor(canvas) {
    this._canvas = canvas;
    this.layers = new Map();
  }

  /**
   * Draws.
   * @param {Object} scene runs (each with `run`, `front`, `hue`, `shape`), axes, view, time, wanted.
   */
  draw(scene) {
    const {clientWidth: width, clientHeight: height} = this._canvas,
      ratio = window.devicePixelRatio || 1;
    if (this._canvas.width !== Math.round(width * ratio) || this._canvas.height !== Math.round(height * ratio)) {
      this._canvas.width = Math.round(width * ratio);
      this._canvas.height = Math.round(height * ratio);
    }
    const context = this._canvas.getContext('2d');
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    this.colours = palette();
    context.font = `12px ${this.colours.font}`;
    const strip = scene.wanted.size > 0;
    this.area = {left: 68, top: scene.axes.z ? 44 : 14, width: width - 88, height: 0};
    this.area.height = height - this.area.top - 52 - (strip ? STRIP + 20 : 0);
    this.strip = strip ? {top: height - STRIP - 2, height: STRIP} : null;
    this.layers.clear();
    this.scales = this._scales(scene);
    if (this.area.width < 40 || this.area.height < 40) return;
    this._axes(context, scene);
    const metrics = Object.fromEntries(['x', 'y', 'z'].map((name) => [name, scene.axes[name]?.metric]));
    for (const one of scene.runs)
      this.layers.set(one.run, sorted(one.run, this.scales, this.area, metrics, scene.time, scene.wanted));
    context.save();
    context.beginPath();
    context.rect(this.area.left - 7, this.area.top - 7, this.area.width + 14, this.area.height + 14);
    context.clip();
    const total = [...this.layers.values()].reduce((sum, layer) => sum + layer.scored.total + layer.failed.total, 0);
    this.dense = total > SINGLE_MARKS;
    for (const one of scene.runs) this._trials(context, one, metrics);
    for (const one of scene.runs) this._front(context, one, scene);
    context.restore();
    if (this.strip) this._failures(context, scene);
    if (this.scales.z) {
      const {metric, sign} = scene.axes.z,
        {left, width} = this.area;
      const words = `${metric} (${sign > 0 ? 'less' : 'more'} is better)`;
      legend(context, left + width, Math.min(180, width / 2), this.ramp, this.scales.z, words, this.colours);
    }
  }

  _scales(scene) {
    const {left, top, width, height} = this.area,
      found = {};
    for (const [name, from, to] of [
      ['x', left, left + width],
      ['y', top + height, top],
    ]) {
      const axis = scene.axes[name];
      const columns = scene.runs.map(({run}) => run.column(axis.metric).subarray(0, run.count));
      const front = scene.runs.flatMap(({run, front}) => front.map((position) => run.column(axis.metric)[position]));
      const natural = rangeOf(front, columns, axis.sign) ?? {low: 0, high: 1}; // Failures are counted all the same.
      const logarithmic = axis.scale === 'auto' ? isWide(natural) : axis.scale === 'log' && natural.low > 0;
      const range = scene.view?.[name] ?? widened(natural, logarithmic);
      found[name] = new Scale(range.low, range.high, from, to, logarithmic && range.low > 0);
    }
    if (scene.axes.z) {
      const {metric, sign} = scene.axes.z;
      const front = scene.runs.flatMap(({run, front}) => front.map((position) => run.column(metric)[position]));
      const range = rangeOf(
        front,
        scene.runs.map(({run}) => run.column(metric).subarray(0, run.count)),
        sign,
      );
      this.ramp = ramp(COLOURS);
      if (range)
        found.z = new Scale(
          ...(sign > 0 ? [range.high, range.low] : [range.low, range.high]),
          0,
          COLOURS - 1,
          range.low > 0 && isWide(range),
        );
    }
    return found;
  }

  /** The colour of a value of the third metric; the best is brightest. */
  _shade(value) {
    const place = this.scales.z && Math.round(this.scales.z.at(value));
    return Number.isFinite(place) ? this.ramp[Math.min(Math.max(place, 0), COLOURS - 1)] : this.colours.faint;
  }

  _axes(context, scene) {
    const {left, top, width, height} = this.area,
      bottom = top + height;
    context.lineWidth = 1;
    context.strokeStyle = this.colours.grid;
    context.fillStyle = this.colours.faint;
    context.beginPath();
    context.textAlign = 'center';
    for (const value of this.scales.x.ticks(width / 90)) {
      const x = Math.round(this.scales.x.at(value)) + 0.5;
      context.moveTo(x, top);
      context.lineTo(x, bottom);
      context.fillText(brief(value), x, bottom + 16);
    }
    context.textAlign = 'right';
    for (const value of this.scales.y.ticks(height / 60)) {
      const y = Math.round(this.scales.y.at(value)) + 0.5;
      context.moveTo(left, y);
      context.lineTo(left + width, y);
      context.fillText(brief(value), left - 8, y + 4);
    }
    context.stroke();
    const title = ({metric, sign}, names) =>
      sign > 0 ? `${names[0]} better   ${metric}` : `${metric}   better ${names[1]}`;
    context.fillStyle = this.colours.ink;
    context.textAlign = 'center';
    context.fillText(title(scene.axes.x, ['←', '→']), left + width / 2, bottom + 36);
    context.save();
    context.translate(14, top + height / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(title(scene.axes.y, ['←', '→']), 0, 0);
    context.restore();
  }

  _trials(context, {run, hue, shape}, metrics) {
    const {scored, failed} = this.layers.get(run),
      shaded = Boolean(this.scales.z);
    const colour = this.colours.runs[hue],
      faded = this.dense ? 0.18 : 0.38;
    if (this.dense) {
      const most = Math.log1p(scored.counts.reduce((a, b) => Math.max(a, b), 1));
      context.fillStyle = colour;
      scored.each((x, y, count, mean) => {
        if (shaded) context.fillStyle = this._shade(mean);
        context.globalAlpha = shaded ? 0.75 : faded + (0.7 * Math.log1p(count)) / most;
        context.fillRect(x, y, CELL, CELL);
      });
      context.globalAlpha = 0.6;
      context.fillStyle = this.colours.failed;
      failed.each((x, y) => context.fillRect(x + 1, y + 1, CELL - 2, CELL - 2));
    } else {
      const [xs, ys, zs] = [metrics.x, metrics.y, metrics.z].map((name) => (name ? run.column(name) : null));
      context.globalAlpha = faded;
      context.fillStyle = colour;
      all(scored, (i) => {
        if (shaded) context.fillStyle = this._shade(zs[i]);
        context.beginPath();
        mark(context, shape, this.scales.x.at(xs[i]), this.scales.y.at(ys[i]), 3);
        context.fill();
      });
      context.globalAlpha = 0.8;
      context.strokeStyle = this.colours.failed;
      context.lineWidth = 1.4;
      context.beginPath();
      all(failed, (i) => cross(context, this.scales.x.at(xs[i]), this.scales.y.at(ys[i])));
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  _front(context, {run, front, hue, shape, control}, scene) {
    const points = front.map((i) => [
      this.scales.x.at(run.column(scene.axes.x.metric)[i]),
      this.scales.y.at(run.column(scene.axes.y.metric)[i]),
      i,
    ]);
    points.sort((a, b) => a[0] - b[0]);
    context.strokeStyle = context.fillStyle = this.colours.runs[hue];
    if (!scene.axes.z && points.length) {
      context.lineWidth = 1.5;
      context.setLineDash(control ? [5, 4] : []);
      context.beginPath();
      // A staircase: between two neighbours nothing better has been found.
      points.forEach(([x, y], k) => {
        if (k && scene.axes.x.sign > 0) context.lineTo(x, points[k - 1][1]);
        else if (k) context.lineTo(points[k - 1][0], y);
        if (k) context.lineTo(x, y);
        else context.moveTo(x, y);
      });
      context.stroke();
      context.setLineDash([]);
    }
    for (const [x, y, i] of points) {
      if (scene.axes.z) context.fillStyle = this._shade(run.column(scene.axes.z.metric)[i]);
      context.strokeStyle = scene.axes.z ? this.colours.ink : this.colours.paper;
      context.lineWidth = 1.5;
      context.beginPath();
      mark(context, shape, x, y, 5);
      context.fill();
      context.stroke();
    }
  }

  /** Failures without a place in the picture, by when they came. */
  _failures(context, scene) {
    const {left, width} = this.area,
      {top, height} = this.strip;
    const last = Math.max(1, ...scene.runs.map(({run}) => run.last()));
    this.stripAt = (order) => left + (width * order) / last;
    context.fillStyle = this.colours.faint;
    context.textAlign = 'left';
    context.fillText(`failed without these metrics, from trial 0 to ${shown(last)}`, left, top - 6);
    context.strokeStyle = this.colours.grid;
    context.strokeRect(left + 0.5, top + 0.5, width - 1, height - 1);
    context.fillStyle = this.colours.failed;
    for (const {run} of scene.runs) {
      const counts = new Uint32Array(Math.ceil(width) + 1);
      for (const i of this.layers.get(run).strip) counts[Math.floor(this.stripAt(run.order.data[i]) - left)]++;
      const most = counts.reduce((a, b) => Math.max(a, b), 2);
      counts.forEach((count, x) => {
        context.globalAlpha = 0.2 + (0.8 * count) / most;
        if (count) context.fillRect(left + x, top + 2, 1.5, height - 4);
      });
    }
    context.globalAlpha = 1;
  }
}

function all(cells, visit) {
  for (const first of cells.head) for (let i = first; i >= 0; i = cells.next[i]) visit(i);
}

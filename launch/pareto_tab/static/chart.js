// The picture with its pointer and its keys: hovering tells, a click or Enter opens, dragging zooms.

import {element, shown} from './dom.js';
import {mark} from './marks.js';
import {along, beside, placeOf, under} from './nearest.js';
import {Picture} from './picture.js';

const ARROWS = ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown'];
const DRAG = 6; // pixels from which a click is a drag
const ZOOM = 0.6;
const HELP =
  'Left and right arrow keys walk along the front, up and down change the run, Home and End go to its ends. ' +
  'With Shift, arrows go to the nearest trial in that direction. Enter opens the candidate, plus and minus zoom, 0 shows everything.';

export class Chart {
  /** @param {{onselect: Function, onopen: Function, onzoom: Function}} on what to tell the rest of the page. */
  constructor(on) {
    this._on = on;
    this._canvas = element('canvas', {class: 'picture', 'aria-hidden': 'true'});
    this._above = element('canvas', {class: 'picture', 'aria-hidden': 'true'});
    this._tip = element('div', {class: 'tip', hidden: true, 'aria-hidden': 'true'});
    this._help = element('p', {class: 'unseen', id: 'chart-help'}, HELP);
    this.spoken = element('p', {class: 'unseen', role: 'status', 'aria-live': 'polite', id: 'selected-trial'});
    this.stage = element(
      'div',
      {
        class: 'stage',
        tabindex: '0',
        role: 'application',
        'aria-roledescription': 'scatter chart of trials',
        'aria-label': 'Pareto front',
        'aria-describedby': 'chart-help',
        'data-key': 'stage',
        onpointerdown: (event) => this._press(event),
        onpointermove: (event) => this._move(event),
        onpointerup: (event) => this._release(event),
        onpointerleave: () => this._hover(null),
        onpointercancel: () => (this._pressed = this._dragged = null),
        ondblclick: () => this._on.onzoom(null),
        onkeydown: (event) => this._key(event),
      },
      this._canvas,
      this._above,
      this._tip,
    );
    this.root = element('div', {class: 'chart'}, this.stage, this._help, this.spoken);
    this.picture = new Picture(this._canvas);
    this._hovered = this._pressed = null;
    new ResizeObserver(() => this.scene && this.draw(this.scene)).observe(this.stage);
  }

  /** Draws a scene, see `Picture.draw`; `scene.selected` is marked. */
  draw(scene) {
    this.scene = scene;
    this.picture.draw(scene);
    this._mark();
  }

  /** Marks a trial, or none, and tells of it; the picture below stays as it is. */
  select(selected) {
    this.spoken.textContent = selected ? this.words(selected) : 'nothing selected';
    this.scene.selected = selected;
    this._mark();
  }

  /** Where a trial is on the page, in pixels of the window; null if it has no place. */
  where(run, position) {
    const place = this.scene && placeOf(this.picture, this.scene, run, position);
    const box = this.stage.getBoundingClientRect();
    return place && {x: place.x + box.left, y: place.y + box.top};
  }

  /** A trial in words, with the metrics of the picture. */
  words({run, position}) {
    const values = Object.values(this.scene.axes)
      .filter(Boolean)
      .map(({metric}) => `${metric} ${shown(run.column(metric)[position])}`);
    const status = run.statuses[run.status.data[position]],
      reason = run.reasons[run.reason.data[position]];
    const front = this.scene.runs.find((one) => one.run === run)?.front.includes(position);
    const parts = [`trial ${run.trial.data[position]} of ${run.name}`, ...new Set(values)];
    if (front) parts.push('on the front');
    else if (status !== 'ok') parts.push(reason ? `${status}: ${reason}` : status);
    return parts.join(', ');
  }

  _local(event) {
    const box = this.stage.getBoundingClientRect();
    return {x: event.clientX - box.left, y: event.clientY - box.top};
  }

  _press(event) {
    if (event.button === 0) this._pressed = this._dragged = this._local(event);
  }

  _move(event) {
    const at = this._local(event);
    if (!this._pressed) {
      this._hover(this.scene && under(this.picture, this.scene, at.x, at.y));
      return;
    }
    this.stage.setPointerCapture(event.pointerId);
    this._dragged = at;
    this._hover(null);
  }

  _release(event) {
    const [from, to] = [this._pressed, this._local(event)];
    this._pressed = this._dragged = null;
    if (!from || !this.scene) return;
    const [wide, high] = [Math.abs(to.x - from.x) > DRAG, Math.abs(to.y - from.y) > DRAG];
    if (wide && high) this._on.onzoom(this._between(from, to));
    else if (!wide && !high) {
      const found = under(this.picture, this.scene, to.x, to.y);
      if (found) {
        this._on.onselect(found);
        this._on.onopen(found);
      }
    }
    this._mark();
  }

  _between(a, b) {
    const {x, y} = this.picture.scales;
    return {
      x: {low: x.value(Math.min(a.x, b.x)), high: x.value(Math.max(a.x, b.x))},
      y: {low: y.value(Math.max(a.y, b.y)), high: y.value(Math.min(a.y, b.y))},
    };
  }

  _zoom(factor) {
    const {left, top, width, height} = this.picture.area,
      {selected} = this.scene;
    const at = (selected && placeOf(this.picture, this.scene, selected.run, selected.position)) ?? {
      x: left + width / 2,
      y: top + height / 2,
    };
    const corner = (x, y) => ({x: at.x + (x - at.x) * factor, y: at.y + (y - at.y) * factor});
    this._on.onzoom(this._between(corner(left, top), corner(left + width, top + height)));
  }

  _key(event) {
    const {key, shiftKey} = event;
    if (!this.scene?.runs.length || !this.picture.scales || event.ctrlKey || event.metaKey || event.altKey) return;
    const {selected} = this.scene;
    if (ARROWS.includes(key) || key === 'Home' || key === 'End') {
      const far = shiftKey && ARROWS.includes(key);
      const next = far ? beside(this.picture, this.scene, selected, key) : along(this.scene, selected, key);
      if (next) this._on.onselect(next);
    } else if (key === 'Enter' && selected) this._on.onopen(selected);
    else if (key === 'Escape') this._on.onselect(null);
    else if (key === '+' || key === '=') this._zoom(ZOOM);
    else if (key === '-') this._zoom(1 / ZOOM);
    else if (key === '0') this._on.onzoom(null);
    else return;
    event.preventDefault();
  }

  _hover(found) {
    this._hovered = found;
    this.stage.classList.toggle('over', Boolean(found));
    this._mark();
  }

  /** Rings around the selected and the hovered trial, and the box that is being dragged. */
  _mark() {
    const ratio = window.devicePixelRatio || 1,
      {width, height} = this._canvas;
    Object.assign(this._above, {width, height});
    const context = this._above.getContext('2d');
    context.scale(ratio, ratio);
    const colours = this.picture.colours;
    if (!this.scene || !this.picture.scales || !colours) return;
    context.lineWidth = 2;
    for (const [found, colour] of [
      [this.scene.selected, colours.accent],
      [this._hovered, colours.ink],
    ]) {
      const place = found && placeOf(this.picture, this.scene, found.run, found.position);
      if (!place) continue;
      context.strokeStyle = colour;
      context.beginPath();
      mark(context, 0, place.x, place.y, 9);
      context.stroke();
    }
    if (this._pressed && this._dragged) {
      context.strokeStyle = colours.accent;
      context.lineWidth = 1;
      context.strokeRect(
        this._pressed.x,
        this._pressed.y,
        this._dragged.x - this._pressed.x,
        this._dragged.y - this._pressed.y,
      );
    }
    this._tell();
  }

  _tell() {
    const found = this._hovered,
      place = found && placeOf(this.picture, this.scene, found.run, found.position);
    this._tip.hidden = !place;
    if (!place) return;
    this._tip.textContent = this.words(found);
    const right = place.x > this.stage.clientWidth / 2;
    this._tip.style.left = right ? 'auto' : `${place.x + 14}px`;
    this._tip.style.right = right ? `${this.stage.clientWidth - place.x + 14}px` : 'auto';
    this._tip.style.top = `${Math.max(place.y - 12, 4)}px`;
  }
}

// The slider: the state of the picture after some number of trials, or the latest one.

import {element, shown} from './dom.js';

export class Slider {
  /** @param {Function} onchange called with a number of trials, or null for the latest state. */
  constructor(onchange) {
    this._onchange = onchange;
    this._range = element('input', {
      type: 'range',
      min: '1',
      max: '1',
      value: '1',
      step: '1',
      'aria-label': 'State after so many trials',
      id: 'time',
      oninput: () => this._moved(),
    });
    this._text = element('output', {for: 'time'});
    this._latest = element('button', {type: 'button', onclick: () => onchange(null)}, 'latest');
    this.root = element(
      'div',
      {class: 'slider'},
      element('label', {for: 'time'}, 'state after'),
      this._range,
      this._text,
      this._latest,
    );
  }

  _moved() {
    const value = Number(this._range.value);
    this._onchange(value >= Number(this._range.max) ? null : value);
  }

  /** Shows a state: `time` trials of `last`, or all of them if it is null. */
  show(time, last) {
    this._range.max = `${Math.max(last, 1)}`;
    this._range.value = `${time ?? Math.max(last, 1)}`;
    const words = `${shown(time ?? last)} of ${shown(last)} trials`;
    this._range.setAttribute('aria-valuetext', `after ${words}`);
    this._text.textContent = words;
    this._latest.disabled = time === null;
    this._latest.textContent = time === null ? 'latest: follows the search' : 'go to the latest';
  }
}

// The places of the page.

import {element} from './dom.js';

/** Builds the page around a chart and a slider; the named parts are filled later. */
export function layout(chart, slider) {
  const part = (tag, attributes) => element(tag, attributes);
  const runs = part('div', {class: 'runs', role: 'group', 'aria-label': 'runs'});
  const axes = part('div', {class: 'axes', role: 'group', 'aria-label': 'axes'});
  const failures = part('div', {class: 'failures', role: 'group', 'aria-label': 'failures'});
  const problem = part('p', {class: 'problem', role: 'alert', hidden: true});
  const note = part('p', {class: 'note'});
  const front = part('table', {class: 'front'});
  const volume = part('div', {class: 'volume'});
  const card = part('aside', {class: 'card', 'aria-labelledby': 'card-title', hidden: true});
  const reset = element('button', {class: 'reset', type: 'button', hidden: true}, 'show everything');
  const volumeNote = element('span', {class: 'quiet'});
  const sidebar = element(
    'nav',
    {class: 'sidebar', 'aria-label': 'what is shown'},
    element('h2', {}, 'Runs'),
    runs,
    element('h2', {}, 'Axes'),
    axes,
    element('h2', {}, 'Failures'),
    failures,
  );
  const main = element(
    'main',
    {},
    problem,
    element('div', {class: 'above'}, note, reset),
    chart.root,
    slider.root,
    element('h2', {}, 'Hypervolume', volumeNote),
    volume,
    element('h2', {}, 'Front'),
    element('div', {class: 'scrolls'}, front),
  );
  const root = element('div', {class: 'tab'}, sidebar, main, card);
  return {root, runs, axes, failures, problem, note, front, volume, volumeNote, card, reset};
}

// The fronts as a table: the same as the picture, for reading aloud, copying and opening.

import {element, refill, shown} from './dom.js';
import {swatch} from './sidebar.js';

const LISTED = 500;

/**
 * Fills a table with the fronts of all chosen runs, best in the vertical metric first.
 * @param {Object} scene as drawn.
 * @param {Function} onopen called with a run and a position.
 */
export function fillTable(parent, scene, onopen) {
  const axes = ['y', 'x', 'z'].map((name) => scene.axes[name]).filter(Boolean);
  const metrics = [...new Set(axes.map((axis) => axis.metric))];
  const signature = JSON.stringify([
    metrics,
    axes[0].sign,
    scene.runs.map(({run, front, hue, shape}) => [run.name, hue, shape, run.edition, front]),
  ]);
  refill(parent, signature, () => {
    const rows = scene.runs.flatMap((one) => one.front.map((position) => ({...one, position})));
    const guiding = (row) => axes[0].sign * row.run.column(axes[0].metric)[row.position];
    rows.sort((a, b) => guiding(a) - guiding(b));
    const cells = rows.slice(0, LISTED).map((row) => {
      const trial = row.run.trial.data[row.position];
      const open = element(
        'button',
        {
          class: 'link',
          type: 'button',
          'data-key': `${row.run.name}/${trial}`,
          onclick: () => onopen({run: row.run, position: row.position}),
        },
        `${trial}`,
      );
      return element(
        'tr',
        {},
        element('th', {scope: 'row'}, open),
        element('td', {class: 'run-name'}, swatch(row), row.run.name),
        ...metrics.map((metric) => element('td', {class: 'number'}, shown(row.run.column(metric)[row.position]))),
      );
    });
    const heads = ['trial', 'run'].map((name) => element('th', {scope: 'col'}, name));
    const more = rows.length > LISTED ? ` (the first ${LISTED})` : '';
    return [
      element('caption', {}, `${shown(rows.length)} ${rows.length === 1 ? 'trial' : 'trials'} on the front${more}`),
      element(
        'thead',
        {},
        element('tr', {}, ...heads, ...metrics.map((metric) => element('th', {scope: 'col', class: 'number'}, metric))),
      ),
      element('tbody', {}, ...cells),
    ];
  });
}

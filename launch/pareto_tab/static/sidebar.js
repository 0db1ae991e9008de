// What is shown: runs, axes, failures.

import {choice, drawing, element, refill, shown} from './dom.js';
import {reasonKey} from './layers.js';

const LISTED = 40; // reasons of one status
const SHAPES = ['M9 5a4 4 0 1 1-8 0 4 4 0 0 1 8 0Z', 'M1.5 1.5h7v7h-7Z', 'M5 .8 9.4 8.6H.6Z', 'M5 .3 9.7 5 5 9.7.3 5Z'];
const STATUSES = {
  invalid: 'infeasible: rejected before anything ran',
  partial: 'scored on a smaller budget',
  hurdle: 'stopped at a hurdle',
  diverged: 'diverged',
  out_of_memory: 'out of memory',
  timed_out: 'timed out',
  crashed: 'crashed',
};

/** The mark of a run, as it is in the picture. */
export function swatch({hue, shape}) {
  return drawing(
    'svg',
    {viewBox: '0 0 10 10', class: 'swatch', 'aria-hidden': 'true'},
    drawing('path', {d: SHAPES[shape], class: `run-${hue}`}),
  );
}

/** Runs to choose from. `looks` are hue and shape of the chosen ones by name. */
export function fillRuns(parent, runs, looks, onchoose) {
  const state = runs.map((run) => [run.name, run.error, looks.get(run.name)]);
  refill(parent, JSON.stringify(state), () =>
    runs.map((run) => {
      const look = looks.get(run.name);
      const details =
        run.error ??
        [run.control ? null : run.search, run.seed === null ? null : `seed ${run.seed}`].filter(Boolean).join(', ');
      return element(
        'label',
        {class: `run${run.error ? ' broken' : ''}`},
        element('input', {
          type: 'checkbox',
          'data-key': run.name,
          checked: Boolean(look),
          disabled: Boolean(run.error),
          onchange: (event) => onchoose(run.name, event.target.checked),
        }),
        look ? swatch(look) : element('span', {class: 'swatch'}),
        element(
          'span',
          {class: 'name'},
          run.name,
          run.control
            ? element('span', {class: 'badge', title: 'Random search: what the others have to beat'}, 'control')
            : null,
        ),
        element('span', {class: 'count'}),
        details ? element('span', {class: run.error ? 'wrong' : 'quiet'}, details) : null,
      );
    }),
  );
  // Counts change all the time, and the boxes beside them are not to be exchanged under somebody's pointer.
  fillCounts(
    parent,
    runs.map((run) => (looks.has(run.name) && run.total ? shown(run.total) : '')),
  );
}

function fillCounts(parent, counts) {
  parent.querySelectorAll('.count').forEach((one, i) => {
    if (one.textContent !== counts[i]) one.textContent = counts[i];
  });
}

/**
 * The three axes.
 * @param {Object} axes by name: metric, sign, scale; z may be null.
 * @param {string[]} metrics to choose from.
 * @param {Function} onchange called with the name of an axis and what changes in it.
 */
export function fillAxes(parent, axes, metrics, onchange) {
  const names = {y: 'vertical', x: 'horizontal', z: 'colour'};
  refill(parent, JSON.stringify([axes, metrics]), () =>
    Object.entries(names).flatMap(([name, title]) => {
      const axis = axes[name];
      const offered = metrics.map((metric) => [metric, metric]);
      const metric = choice(
        `${title}: metric`,
        name === 'z' ? [['', 'none'], ...offered] : offered,
        axis?.metric ?? '',
        (value) => onchange(name, {metric: value}),
      );
      metric.dataset.key = `${name}-metric`;
      const better =
        axis &&
        choice(
          `${title}: which is better`,
          [
            ['1', 'less is better'],
            ['-1', 'more is better'],
          ],
          `${axis.sign}`,
          (value) => onchange(name, {sign: Number(value)}),
        );
      const scale =
        axis &&
        name !== 'z' &&
        choice(
          `${title}: scale`,
          [
            ['auto', 'scale: auto'],
            ['linear', 'linear'],
            ['log', 'logarithmic'],
          ],
          axis.scale,
          (value) => onchange(name, {scale: value}),
        );
      for (const [one, key] of [
        [better, 'sign'],
        [scale, 'scale'],
      ])
        if (one) one.dataset.key = `${name}-${key}`;
      return [
        element(
          'div',
          {class: 'axis'},
          element('span', {class: 'title'}, title),
          metric,
          ...[better, scale].filter(Boolean),
        ),
      ];
    }),
  );
}

/**
 * Failures by status and reason, with how many there are, each to be switched on.
 * @param {Map<string, number>} counts by key.
 * @param {Set<string>} wanted keys that are on.
 * @param {Function} onchange called with keys and whether they are on.
 */
export function fillFailures(parent, counts, wanted, onchange) {
  const statuses = new Map();
  for (const [key, count] of counts) {
    const [status, reason] = key.split('\n');
    if (!statuses.has(status)) statuses.set(status, []);
    statuses.get(status).push({key: reasonKey(status, reason), reason, count});
  }
  const total = (found) => found.reduce((sum, one) => sum + one.count, 0);
  const groups = [...statuses].sort((a, b) => total(b[1]) - total(a[1]));
  for (const [, found] of groups) found.sort((a, b) => b.count - a.count);
  const listed = groups.map(([status, found]) => [status, found.slice(0, LISTED), found.slice(LISTED)]);
  refill(
    parent,
    JSON.stringify([listed.map(([, some, rest]) => [some.map((one) => one.key), rest.length]), [...wanted].sort()]),
    () => {
      if (!groups.length) return [element('p', {class: 'quiet'}, 'no trial failed so far')];
      return listed.map(([status, some, rest]) => {
        const keys = [...some, ...rest].map((one) => one.key),
          on = keys.filter((key) => wanted.has(key)).length;
        const whole = box(status, on === keys.length, (checked) => onchange(keys, checked));
        whole.indeterminate = on > 0 && on < keys.length;
        const row = (kind, input, words) =>
          element(
            'label',
            {class: kind, title: words},
            input,
            element('span', {class: 'name'}, words),
            element('span', {class: 'count'}),
          );
        return element(
          'fieldset',
          {},
          element('legend', {class: 'unseen'}, status),
          row('reason whole', whole, STATUSES[status] ?? status),
          ...some.map((one) =>
            row(
              'reason',
              box(one.key, wanted.has(one.key), (checked) => onchange([one.key], checked)),
              one.reason || 'no reason given',
            ),
          ),
          rest.length ? element('p', {class: 'quiet'}, `and ${rest.length} rarer reasons`) : null,
        );
      });
    },
  );
  fillCounts(
    parent,
    listed.flatMap(([, some, rest]) => [total([...some, ...rest]), ...some.map((one) => one.count)]).map(shown),
  );
}

function box(key, checked, onchange) {
  return element('input', {
    type: 'checkbox',
    'data-key': key,
    checked,
    onchange: (event) => onchange(event.target.checked),
  });
}

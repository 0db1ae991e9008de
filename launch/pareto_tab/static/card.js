// The card of a candidate: what it is, where it comes from, who is like it, what it cost, how to get it out.

import {element, shown} from './dom.js';

/**
 * The content of a card.
 * @param {Object} card the answer of the route `card`.
 * @param {string} run name of its run.
 * @param {{onopen: Function, onclose: Function}} on open another trial of the run; close this one.
 */
export function cardOf(card, run, on) {
  const link = (trial) =>
    element(
      'button',
      {class: 'link', type: 'button', onclick: () => on.onopen(trial), 'data-key': `open-${trial}`},
      `${trial}`,
    );
  return [
    element(
      'header',
      {},
      element(
        'h2',
        {id: 'card-title', tabindex: '-1'},
        `Trial ${card.trial}`,
        element('span', {class: 'of'}, ` of ${run}`),
      ),
      element(
        'button',
        {class: 'close', type: 'button', 'aria-label': 'Close the card', title: 'Close (Escape)', onclick: on.onclose},
        '×',
      ),
    ),
    element(
      'p',
      {class: `status ${card.status === 'ok' ? 'good' : 'bad'}`},
      card.status,
      card.reason ? `: ${card.reason}` : null,
    ),
    ...section('Metrics', metrics(card)),
    ...section('Source', sources(card)),
    ...section('Take it along', copyable(card.export)),
    ...section('Origin', origin(card, link)),
    ...section('Lineage', lineage(card, link)),
    ...section('Same behaviour', equivalents(card, link)),
    ...section(
      'Children',
      card.children_total ? numbers(card.children, card.children_total, link) : element('p', {class: 'quiet'}, 'none'),
    ),
    ...section('Cost', pairs(cost(card))),
    ...section(
      'Keys',
      pairs(keys(card)),
    ),
  ];
}

function section(title, content) {
  return content ? [element('h3', {}, title), content] : [];
}

function pairs(found) {
  if (!found.length) return null;
  return element('dl', {}, ...found.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]));
}

function metrics(card) {
  const names = Object.keys(card.metrics);
  if (!names.length) return element('p', {class: 'quiet'}, 'none: it ended before it was scored');
  const rows = names.map((name) => {
    const error = card.noise[name] === undefined ? '' : `± ${shown(card.noise[name])}`;
    return element(
      'tr',
      {},
      element('th', {scope: 'row'}, name),
      element('td', {}, shown(card.metrics[name])),
      element('td', {class: 'quiet'}, error),
    );
  });
  const note =
    card.evaluations > 1
      ? element('p', {class: 'quiet'}, `means of ${card.evaluations} evaluations, ± standard error`)
      : null;
  return element('div', {}, element('table', {class: 'values'}, element('tbody', {}, ...rows)), note);
}

/** Source and difference from the parent, one of them shown. */
function sources(card) {
  const source = element('pre', {class: 'code', tabindex: '0', 'aria-label': 'source'}, card.candidate);
  if (card.diff === null) return source;
  const lines = card.diff.split('\n').map((line) => {
    const kind = line.startsWith('+')
      ? 'added'
      : line.startsWith('-')
        ? 'removed'
        : line.startsWith('@@')
          ? 'place'
          : '';
    return element('span', {class: kind}, `${line}\n`);
  });
  const difference = element(
    'pre',
    {class: 'code', tabindex: '0', hidden: true, 'aria-label': 'difference from the parent'},
    ...(card.diff ? lines : ['the same text as its parent\n']),
  );
  const views = [
    ['source', source],
    [`changes to trial ${card.parents[0]}`, difference],
  ];
  const buttons = views.map(([name, view]) =>
    element(
      'button',
      {
        type: 'button',
        'aria-pressed': view === source ? 'true' : 'false',
        onclick: (event) => {
          views.forEach(([, one]) => (one.hidden = one !== view));
          buttons.forEach((one) => one.setAttribute('aria-pressed', one === event.currentTarget ? 'true' : 'false'));
        },
      },
      name,
    ),
  );
  return element(
    'div',
    {},
    element('div', {class: 'choice', role: 'group', 'aria-label': 'text'}, ...buttons),
    source,
    difference,
  );
}

function copyable(command) {
  const text = element('code', {class: 'command'}, command);
  const button = element(
    'button',
    {
      type: 'button',
      onclick: async () => {
        try {
          await navigator.clipboard.writeText(command);
          button.textContent = 'copied';
        } catch {
          // Without a secure connection the page may not write to the clipboard: the reader copies the selection.
          getSelection().selectAllChildren(text);
          button.textContent = 'press Ctrl+C';
        }
        setTimeout(() => (button.textContent = 'copy'), 2000);
      },
    },
    'copy',
  );
  return element('div', {class: 'export'}, text, button);
}

function origin(card, link) {
  const found = [];
  if (card.operator) found.push(['operator', card.operator]);
  if (card.parents.length)
    found.push(['parents', element('span', {}, ...card.parents.flatMap((trial) => [link(trial), ' ']))]);
  if (card.note) found.push(['note', card.note]);
  if (card.cached_from !== null)
    found.push([
      'twin of',
      element('span', {}, link(card.cached_from), card.hit ? ` (found by its ${card.hit} key)` : ''),
    ]);
  else if (card.hit) found.push(['known from', card.hit]);
  if (card.audit !== null)
    found.push(['audit', card.audit === 'failed' ? 'failed' : `differs by ${shown(card.audit)}`]);
  return pairs(found);
}

function keys(card) {
  return ['static_key', 'key', 'shifted_key']
    .filter((name) => card[name])
    .map((name) => [name.replaceAll('_', ' '), element('code', {}, card[name])]);
}

function lineage(card, link) {
  const rows = card.lineage.map((one) => {
    const values = Object.entries(one.metrics)
      .map(([name, value]) => `${name} ${shown(value)}`)
      .join(', ');
    return element(
      'li',
      {},
      link(one.trial),
      element('span', {class: 'quiet'}, ` ${[one.operator, values || one.status].filter(Boolean).join(' · ')}`),
    );
  });
  return element('ol', {class: 'lineage'}, ...rows);
}

function numbers(shownOnes, total, link) {
  const rest = total > shownOnes.length ? `and ${shown(total - shownOnes.length)} more` : null;
  return element('p', {class: 'numbers'}, ...shownOnes.flatMap((trial) => [link(trial), ' ']), rest);
}

function equivalents(card, link) {
  if (!card.equivalents_total) return element('p', {class: 'quiet'}, 'no other trial behaves like it');
  const quiet = (words) => element('p', {class: 'quiet'}, words);
  const others =
    card.differently_total === 0
      ? [quiet('all with the same text')]
      : card.differently_total === card.equivalents_total
        ? [quiet('each written in another way')]
        : [
            quiet(`${shown(card.differently_total)} of them written in another way:`),
            numbers(card.differently, card.differently_total, link),
          ];
  return element('div', {}, numbers(card.equivalents, card.equivalents_total, link), ...others);
}

function cost(card) {
  const found = [['evaluation', `${shown(card.seconds)} s, ${shown(card.cpu_seconds)} s of processors`]];
  if (card.saved_seconds) found.push(['spared', `${shown(card.saved_seconds)} s`]);
  if (card.stages.length > 1)
    found.push(['stages', card.stage_seconds.map((seconds) => `${shown(seconds)} s`).join(', ')]);
  if (card.attempts) found.push(['attempts', shown(card.attempts)]);
  if (card.worker) found.push(['worker', card.worker]);
  return found;
}

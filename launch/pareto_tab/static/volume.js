// Hypervolume of each run, against evaluations and against time.

import {brief, drawing, element, refill, shown} from './dom.js';
import {Scale} from './scale.js';

const SIZE = {width: 460, height: 190, left: 56, right: 26, top: 10, bottom: 40};
const CORNERS = 1500; // of one line; more are thinned out

/** Fills a figure with both charts. `entries` have run, hue, shape, control. */
export function fillVolume(parent, entries) {
  const signature = JSON.stringify(
    entries.map(({run, hue, control}) => [
      run.name,
      hue,
      control,
      run.edition,
      run.volume.evaluated,
      run.volume.elapsed,
      run.volume.value.length,
    ]),
  );
  refill(parent, signature, () => {
    const hours = Math.max(0, ...entries.map(({run}) => run.volume.elapsed ?? 0)) > 2 * 3600;
    const [unit, divisor] = hours ? ['hours', 3600] : ['seconds', 1];
    return [
      chart(entries, 'evaluations', (volume) => [volume.evaluations, volume.evaluated]),
      chart(entries, unit, (volume) => [volume.seconds.map((one) => one / divisor), (volume.elapsed ?? 0) / divisor]),
    ];
  });
}

function chart(entries, unit, read) {
  const lines = entries
    .map((entry) => ({...entry, line: steps(entry.run.volume, ...read(entry.run.volume))}))
    .filter(({line}) => line.length);
  const most = (k) => Math.max(...lines.flatMap(({line}) => line.map((point) => point[k])), 0) || 1;
  const {width, height, left, right, top, bottom} = SIZE;
  const x = new Scale(0, most(0) * 1.02, left, width - right),
    y = new Scale(0, most(1) * 1.05, height - bottom, top);
  const words = lines
    .map(({run, control, line}) => `${run.name}${control ? ' (control)' : ''} ${shown(line[line.length - 1][1])}`)
    .join(', ');
  const picture = drawing('svg', {
    viewBox: `0 0 ${width} ${height}`,
    role: 'img',
    'aria-label': `Hypervolume against ${unit}; at the end: ${words || 'none yet'}`,
  });
  for (const value of y.ticks(4))
    picture.append(
      rule(left, y.at(value), width - right, y.at(value)),
      text(left - 6, y.at(value) + 4, 'end', brief(value)),
    );
  for (const value of x.ticks(5)) picture.append(text(x.at(value), height - bottom + 16, 'middle', brief(value)));
  picture.append(text((left + width - right) / 2, height - 6, 'middle', unit, 'title'));
  for (const {line, hue, control} of lines) {
    const path = line
      .map(([a, b], k) =>
        k ? `H${x.at(a).toFixed(1)}V${y.at(b).toFixed(1)}` : `M${x.at(a).toFixed(1)} ${y.at(b).toFixed(1)}`,
      )
      .join('');
    picture.append(drawing('path', {d: path, class: `line run-${hue}${control ? ' control' : ''}`}));
  }
  return element('figure', {}, picture);
}

/** Corners of a line of steps that begins at nothing and goes on to the end. */
function steps(volume, places, end) {
  const stride = Math.ceil(volume.value.length / CORNERS) || 1,
    found = [[0, 0]];
  volume.value.forEach((value, i) => {
    if (i % stride === 0 || i === volume.value.length - 1) found.push([places[i], value]);
  });
  if (volume.value.length) found.push([Math.max(end, found[found.length - 1][0]), found[found.length - 1][1]]);
  return volume.value.length ? found : [];
}

function rule(x1, y1, x2, y2) {
  return drawing('line', {x1, y1, x2, y2, class: 'rule'});
}

function text(x, y, anchor, words, kind = 'tick') {
  return drawing('text', {x, y, 'text-anchor': anchor, class: kind}, words);
}

// Paths of marks on a canvas, and the legend of the colours.

import {brief} from './dom.js';

/** The path of a run's mark; runs differ in shape as well as in colour. */
export function mark(context, shape, x, y, size) {
  context.moveTo(x + size, y);
  if (shape === 0) context.arc(x, y, size, 0, 2 * Math.PI);
  else {
    const corners = [[], [45, 135, 225, 315], [90, 210, 330], [0, 90, 180, 270]][shape];
    const points = corners.map((degrees) => [
      x + 1.25 * size * Math.cos((degrees * Math.PI) / 180),
      y - 1.25 * size * Math.sin((degrees * Math.PI) / 180),
    ]);
    context.moveTo(...points[points.length - 1]);
    for (const point of points) context.lineTo(...point);
    context.closePath();
  }
}

/** The path of a cross: a trial that failed. */
export function cross(context, x, y) {
  context.moveTo(x - 3, y - 3);
  context.lineTo(x + 3, y + 3);
  context.moveTo(x - 3, y + 3);
  context.lineTo(x + 3, y - 3);
}

/** Colours from the worst to the best value of the third metric, with the ends of their scale, up to the pixel `right`. */
export function legend(context, right, length, ramp, scale, words, colours) {
  const from = right - length;
  ramp.forEach((colour, k) => {
    context.fillStyle = colour;
    context.fillRect(from + (length * k) / ramp.length, 8, length / ramp.length + 0.5, 8);
  });
  context.fillStyle = colours.faint;
  context.textAlign = 'left';
  context.fillText(brief(scale.low), from, 30);
  context.textAlign = 'right';
  context.fillText(brief(scale.high), right, 30);
  context.fillStyle = colours.ink;
  context.fillText(words, from - 10, 16);
}

// What a script may ask the tab: `window.isozymePareto` in the tab's frame, read-only. Tests ask it, and so may anyone who
// automates the page.

/**
 * Publishes `state()`, a plain copy of what is drawn; `points(run)`, all trials of a run; `where(run, trial)`, a trial's
 * pixel in the frame or null; `settled()`, a promise kept when what was asked for is here and drawn.
 */
export function publish(tab) {
  const chart = tab.chart;
  const point = (run, position) => ({
    trial: run.trial.data[position],
    status: run.statuses[run.status.data[position]],
    x: run.column(tab.axes.x.metric)[position],
    y: run.column(tab.axes.y.metric)[position],
    z: tab.axes.z ? run.column(tab.axes.z.metric)[position] : null,
  });
  const described = ({run, front, hue, control}) => {
    const layer = chart.picture.layers.get(run);
    return {
      name: run.name,
      control,
      hue,
      loaded: run.count,
      total: run.total,
      front: front.map((position) => run.trial.data[position]).sort((a, b) => a - b),
      drawn: layer
        ? {
            trials: layer.trials,
            scored: layer.scored.total,
            failed: layer.failed.total,
            strip: layer.strip.length,
            outside: layer.outside,
          }
        : null,
      failures: layer
        ? Object.fromEntries([...layer.counts].map(([key, count]) => [key.replace('\n', ': '), count]))
        : {},
      hypervolume: run.volume.value.at(-1) ?? null,
    };
  };
  const api = {
    state: () => ({
      ready: Boolean(tab.ready),
      times: {...tab.times},
      problem: tab.problem,
      axes: structuredClone(tab.axes),
      time: tab.time,
      view: structuredClone(tab.view),
      theme: document.documentElement.dataset.theme,
      spoken: chart.spoken.textContent,
      runs: tab.axes ? tab.scene().runs.map(described) : [],
      selected: tab.selected && {run: tab.selected.run.name, trial: tab.selected.run.trial.data[tab.selected.position]},
      card: tab.card && {run: tab.card.run.name, trial: tab.card.trial},
    }),
    points: (name) => {
      const run = tab.runs.get(name);
      return run ? Array.from({length: run.count}, (_, position) => point(run, position)) : [];
    },
    settled: () => tab.settled(),
    where: (name, trial) => {
      const run = tab.runs.get(name),
        position = run?.position(trial);
      return position === undefined ? null : chart.where(run, position);
    },
  };
  Object.defineProperty(window, 'isozymePareto', {value: Object.freeze(api)});
}

// What is shown before anybody has chosen, and what a choice of axes means.

const AT_FIRST = 4; // runs

/** The first few runs that share the objectives of the first one. */
export function firstRuns(runs) {
  const readable = runs.filter((run) => !run.error);
  const same = readable.filter((run) => JSON.stringify(run.objectives) === JSON.stringify(readable[0].objectives));
  return same.slice(0, AT_FIRST);
}

/** Axes for a run: its first objective upwards, the second one across. */
export function firstAxes(run) {
  const axis = ({metric}) => ({metric, sign: signOf(metric, [run]), scale: 'auto'});
  const [first, second = first] = run.objectives;
  return {x: axis(second), y: axis(first), z: null};
}

/** 1 if less of a metric is better, -1 if more is: as the first objective of that name says, else less. */
export function signOf(metric, runs) {
  const known = runs.flatMap((run) => run.objectives).find((one) => one.metric === metric);
  return known?.direction === 'maximize' ? -1 : 1;
}

/** Metrics and directions that the front is over: those of the axes, each once. */
export function spanned(axes) {
  const found = new Map(
    Object.values(axes ?? {})
      .filter(Boolean)
      .map((axis) => [axis.metric, axis.sign > 0 ? 'minimize' : 'maximize']),
  );
  return {names: [...found.keys()], directions: [...found.values()]};
}

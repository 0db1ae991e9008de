// Asks the plugin's routes. Addresses are relative to this module: the tab is an iframe of another address.

const ROOT = new URL('../', import.meta.url);

/**
 * The JSON that a route answers.
 * @param {string} route such as 'points'.
 * @param {Object} parameters of the query; arrays become repeated ones.
 * @throws {Error} whose message can be shown.
 */
export async function ask(route, parameters = {}) {
  const address = new URL(route, ROOT);
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) address.searchParams.append(name, one);
  }
  let answer;
  try {
    answer = await fetch(address);
  } catch {
    throw new Error('TensorBoard does not answer; is it still running?');
  }
  if (!answer.ok) {
    const words = (await answer.text()).trim();
    throw new Error(words || `TensorBoard answered ${answer.status} to ${route}`);
  }
  return answer.json();
}

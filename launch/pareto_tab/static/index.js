// What TensorBoard loads: puts the tab into its frame, and polls the server while somebody looks at it.

import {element} from './dom.js';
import {publish} from './script.js';
import {Tab} from './tab.js';
import {follow} from './theme.js';

const POLL = 1500; // milliseconds

/** Called by TensorBoard once the module has been loaded. */
export async function render() {
  document.documentElement.lang = 'en';
  document.title = 'Pareto';
  const styles = element('link', {rel: 'stylesheet', href: new URL('pareto.css', import.meta.url).href});
  await new Promise((done) => {
    styles.onload = styles.onerror = done;
    document.head.append(styles);
  });
  const tab = new Tab();
  document.body.append(tab.page.root);
  publish(tab);
  follow(() => tab._set({}));
  // Nobody looks at a tab of another name: TensorBoard keeps it, without a size.
  const looked = () => !document.hidden && document.documentElement.clientWidth > 0;
  for (;;) {
    if (looked()) await tab.refresh();
    await new Promise((done) => setTimeout(done, POLL));
  }
}

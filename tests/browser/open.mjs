// How long a page takes to open, to show its last page of rows, to sort, to filter and to follow a deep link: `node open.mjs PAGE ID`,
// ID being the 16 digits of a divergence near the end. Medians of five, in milliseconds.
import { launch, open } from "./browser.mjs";

const [file, id] = process.argv.slice(2);
const browser = await launch();
const took = {};
const timed = async (name, work) => { const began = performance.now(); await work(); (took[name] ??= []).push(performance.now() - began); };
for (let round = 0; round < 5; round++) {
  const { page, took: opened, close } = await open(browser, file);
  (took.open ??= []).push(opened);
  const says = (pattern) => page.waitForFunction((source) => new RegExp(source).test(document.getElementById("count").textContent), pattern);
  await timed("last page", async () => { await page.locator("#last").click(); await says("page [0-9,]+ of"); });
  await timed("sort", async () => { await page.locator("th[data-sort=stake] button").click(); await page.waitForSelector("th[data-sort=stake][aria-sort=descending]"); });
  const before = await page.locator("#count").textContent();
  await timed("filter", async () => { await page.locator("input[value=critical]").uncheck(); await page.waitForFunction((text) => document.getElementById("count").textContent !== text, before); });
  await close();
  await timed("deep link", async () => { const linked = await open(browser, file, { hash: "#d-" + id }); await linked.page.waitForSelector(`#d-${id} details[open]`); await linked.close(); });
}
await browser.close();
for (const [name, all] of Object.entries(took)) console.log(name.padEnd(10), Math.round(all.sort((one, other) => one - other)[2]), "ms");

// What report.html promises its reader. Folders of finished runs come by the environment: REAL, MANY (more divergences than a page
// shows) and HOSTILE (texts of an attacker in every member). SHOTS names a folder for screenshots.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launch, open } from "./browser.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const runs = { real: process.env.REAL, many: process.env.MANY, hostile: process.env.HOSTILE };
const page_of = (run) => join(runs[run], "report.html");
const report_of = (run) => JSON.parse(readFileSync(join(runs[run], "report.json"), "utf8"));
const shots = process.env.SHOTS;
let browser;
before(async () => { browser = await launch(); if (shots) mkdirSync(shots, { recursive: true }); });
after(() => browser?.close());

const shown = (page) => page.locator("#rows > tr").count();
const status = (page) => page.locator("#count").textContent();
/** Waits until the line above the table says so. */
const says = (page, pattern) => page.waitForFunction(([source]) => new RegExp(source).test(document.getElementById("count").textContent), [pattern.source]);

/** Contrast (WCAG 2.1, 1.4.3) of every text in a drawing with the section it stands in. Runs in the page. */
function contrasts() {
  const luminance = (color) => {
    const [red, green, blue] = color.match(/\d+(\.\d+)?/g).map(Number).map((part) => (part /= 255) <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  return [...document.querySelectorAll("svg text")].map((text) => {
    const pair = [luminance(getComputedStyle(text).fill), luminance(getComputedStyle(text.closest("section")).backgroundColor)].sort((a, b) => b - a);
    return (pair[0] + 0.05) / (pair[1] + 0.05);
  });
}

for (const run of ["real", "many", "hostile"]) {
  test(`the page of the ${run} run opens from disk, asks nobody and complains of nothing`, async () => {
    const { page, heard, close } = await open(browser, page_of(run));
    const report = report_of(run);
    assert.equal((await page.locator("h1 .badge").textContent()).toLowerCase().replace(" ", "_"), report.verdict.outcome);
    assert.equal(await page.locator("html").getAttribute("lang"), "en");
    assert.deepEqual(heard, []);
    await close();
  });

  for (const colorScheme of ["light", "dark"]) {
    test(`the page of the ${run} run is legible in ${colorScheme} colours (WCAG 2.1 A and AA)`, async () => {
      const { page, close } = await open(browser, page_of(run), { colorScheme });
      await page.evaluate(axe);
      await page.evaluate(() => { for (const one of document.querySelectorAll("main > section:not(#divergences) details")) one.open = true; });
      const found = await page.evaluate(() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], resultTypes: ["violations", "incomplete"] }));
      const words = (rule) => `${rule.id}: ${rule.nodes.slice(0, 3).map((node) => node.html.slice(0, 120)).join(" | ")}`;
      assert.deepEqual(found.violations.map(words), []);
      // It can't tell the ground of a text in a drawing: that is measured below.
      const outside = (node) => !node.html.startsWith("<text");
      const unsure = found.incomplete.filter((rule) => rule.id === "color-contrast").flatMap((rule) => rule.nodes.filter(outside));
      // Long hostile texts make tables scroll, and what is scrolled away can not be told either.
      if (run !== "hostile") assert.deepEqual(unsure.map((node) => node.html.slice(0, 120)), []);
      const ratios = await page.evaluate(contrasts);
      assert.ok(ratios.every((ratio) => ratio >= 4.5), `text in drawings: ${Math.min(...ratios)}`);
      await close();
    });
  }

  test(`without a script the page of the ${run} run shows its first rows, and no control that does nothing`, async () => {
    const { page, close } = await open(browser, page_of(run), { javaScriptEnabled: false });
    const all = report_of(run).divergences.length;
    assert.equal(await shown(page), Math.min(all, 200));
    for (const control of ["#filter", "#pager"]) assert.equal(await page.locator(control).isVisible(), false);
    const first = page.locator("#rows > tr").first();
    await first.locator("summary").click();
    assert.equal(await first.locator("dl").isVisible(), true);
    await close();
  });

  test(`the page of the ${run} run fits three widths`, async () => {
    for (const width of [390, 820, 1280]) {
      const { page, close } = await open(browser, page_of(run), { viewport: { width, height: 900 } });
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${width} px`);
      if (shots) await page.screenshot({ path: join(shots, `${run}-${width}.png`) });
      await close();
    }
  });
}

test("filters leave what they name, and their number is the report's", async () => {
  const { page, heard, close } = await open(browser, page_of("many"));
  const lines = report_of("many").divergences;
  const count = (of) => lines.filter(of).length.toLocaleString("en-US");
  const all = lines.length.toLocaleString("en-US");
  for (const severity of ["critical", "warn", "info"]) await page.locator(`input[value=${severity}]`).uncheck();
  await says(page, new RegExp(`^${count((one) => one.severity === "error")} of ${all}`));
  assert.equal(await page.locator("#rows .badge:not(:text-is('error'))").count(), 0);
  await page.locator("#reset").click();
  await says(page, new RegExp(`^${all} of ${all}`));
  const code = lines.at(-1).code;
  await page.locator("select[name=code]").selectOption(code);
  await says(page, new RegExp(`^${count((one) => one.code === code)} of ${all}`));
  await page.locator("#reset").click();
  await says(page, new RegExp(`^${all} of ${all}`));
  const wanted = lines[Math.floor(lines.length * 0.7)].fingerprint;
  await page.locator("input[name=text]").fill(wanted.toUpperCase());
  await says(page, new RegExp(`^1 of ${all}`));
  assert.equal(await page.locator("#rows > tr").getAttribute("id"), "d-" + wanted.slice(0, 16));
  await page.locator("input[name=text]").fill("nothing says this");
  await says(page, new RegExp(`^0 of ${all}`));
  assert.equal(await shown(page), 0);
  assert.deepEqual(heard, []);
  await close();
});

test("columns sort both ways, and pages go on where the last one ended", async () => {
  const { page, heard, close } = await open(browser, page_of("many"));
  const stakes = report_of("many").divergences.map((one) => one.at_stake_msat).filter((stake) => stake !== null).map((stake) => BigInt(stake) / 1000n);
  const most = stakes.reduce((one, other) => (one > other ? one : other), 0n).toLocaleString("en-US");
  const head = page.locator("th[data-sort=stake]");
  await head.locator("button").click();
  await page.waitForFunction(() => document.querySelector("th[data-sort=stake]").getAttribute("aria-sort") === "descending");
  assert.equal(await page.locator("#rows > tr:first-child > td[data-label=sats]").textContent(), most);
  await head.locator("button").click();
  await page.waitForFunction(() => document.querySelector("th[data-sort=stake]").getAttribute("aria-sort") === "ascending");
  assert.equal(await page.locator("#rows > tr:first-child > td[data-label=sats]").textContent(), "");
  await page.locator("#reset").click();
  await says(page, /page 1 of/);
  const ids = report_of("many").divergences.map((one) => "d-" + one.fingerprint.slice(0, 16));
  const here = () => page.locator("#rows > tr").evaluateAll((rows) => rows.map((row) => row.id));
  assert.deepEqual(await here(), ids.slice(0, 100));
  await page.locator("#next").click();
  await says(page, /page 2 of/);
  assert.deepEqual(await here(), ids.slice(100, 200));
  await page.locator("#last").click();
  await says(page, new RegExp(`page ${Math.ceil(ids.length / 100).toLocaleString("en-US")} of`));
  assert.deepEqual(await here(), ids.slice(Math.floor((ids.length - 1) / 100) * 100));
  assert.equal(await page.locator("#next").isDisabled(), true);
  assert.deepEqual(heard, []);
  await close();
});

test("a row says what the report says", async () => {
  const { page, close } = await open(browser, page_of("many"));
  const lines = report_of("many").divergences;
  await page.locator("#last").click();
  await says(page, new RegExp(`page ${Math.ceil(lines.length / 100).toLocaleString("en-US")} of`));
  const last = lines.at(-1);
  const row = page.locator("#rows > tr").last();
  await row.locator("summary").click();
  const told = await row.innerText();
  for (const word of [last.code, last.severity, last.state, last.fingerprint, ...last.evidence.map((one) => one.id), ...Object.values(last.subject)]) {
    assert.ok(told.includes(word), `${word} in ${told}`);
  }
  await close();
});

test("a deep link opens its divergence, wherever it stands", async () => {
  const lines = report_of("many").divergences;
  for (const place of [0, 150, 250, Math.floor(lines.length / 2), lines.length - 1]) {
    const id = "d-" + lines[place].fingerprint.slice(0, 16);
    const { page, heard, close } = await open(browser, page_of("many"), { hash: "#" + id });
    await page.waitForSelector(`#${id} details[open]`);
    assert.ok(await page.locator(`#${id}`).evaluate((row) => { const box = row.getBoundingClientRect(); return box.top < innerHeight && box.bottom > 0; }), id);
    assert.deepEqual(heard, []);
    await close();
  }
  const { page, close } = await open(browser, page_of("many"), { hash: "#d-0000000000000000" });
  await says(page, /^no divergence/);
  await close();
});

test("the keyboard alone reaches the report, the filters and the details", async () => {
  const { page, close } = await open(browser, page_of("many"));
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => location.hash), "#main");
  await page.locator("input[value=critical]").focus();
  await page.keyboard.press("Space");
  await says(page, /page 1 of/);
  await page.locator("#rows summary").first().focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.locator("#rows details").first().evaluate((details) => details.open), true);
  await close();
});

test("it prints, with its rows and without its controls", async () => {
  const { page, close } = await open(browser, page_of("real"));
  const pdf = await page.pdf({ format: "A4", printBackground: true });
  assert.equal(pdf.subarray(0, 5).toString(), "%PDF-");
  assert.ok(pdf.length > 20_000, `${pdf.length} bytes`);
  await page.emulateMedia({ media: "print" });
  for (const control of ["nav", "#filter"]) assert.equal(await page.locator(control).isVisible(), false);
  assert.ok(await page.locator("#rows > tr").first().isVisible());
  await close();
});

test("nothing that an attacker wrote becomes markup, a link or a script", async () => {
  const { page, heard, close } = await open(browser, page_of("hostile"));
  const census = (page) => page.evaluate(() => {
    const names = {};
    for (const one of document.body.querySelectorAll("*")) names[one.localName] = (names[one.localName] ?? 0) + 1;
    return { odd: Object.keys(names).filter((name) => /^(img|iframe|object|embed|video|audio|base|link|meta|style|math)$/.test(name)), links: [...document.links].map((link) => link.getAttribute("href")).filter((href) => !href.startsWith("#")), on: [...document.querySelectorAll("*")].filter((one) => one.getAttributeNames().some((name) => name.startsWith("on"))).length, pwned: window.pwned ?? null };
  });
  assert.deepEqual(await census(page), { odd: [], links: [], on: 0, pwned: null });
  await page.locator("#last").click({ force: true }).catch(() => {});
  await page.locator("input[value=critical]").uncheck();
  await says(page, / of /);
  for (const one of await page.locator("#rows details").all()) await one.evaluate((details) => { details.open = true; });
  assert.deepEqual(await census(page), { odd: [], links: [], on: 0, pwned: null });
  // eslint-disable-next-line no-control-regex
  const live = await page.evaluate(() => (document.body.innerText.match(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\u200b-\u200f\ufeff]/g) ?? []).length);
  assert.equal(live, 0);
  assert.deepEqual(heard, []);
  await close();
});

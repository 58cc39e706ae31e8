"use strict";
/* Filters, sorts and pages through the divergences that this file carries. Without it the first rows stand as they are. */
(() => {
  const SEVERITIES = ["info", "warn", "error", "critical"];
  const STATES = ["open", "explained", "acknowledged"];
  const PAGE = 100;
  const $ = (id) => document.getElementById(id);
  const section = $("divergences"), body = $("rows");
  const packed = $("packed-index");
  if (!section || !body || !packed || typeof DecompressionStream !== "function") return;
  const total = Number(section.dataset.total), size = Number(section.dataset.chunk);
  const asOf = Number(section.dataset.asOf);
  const codes = JSON.parse($("codes").textContent);
  const still = [...body.children];
  let columns = null, order = null, page = 0, run = 0;
  const kept = new Map();

  async function inflate(script) {
    const binary = atob(script.textContent.trim());
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return new Response(stream).arrayBuffer();
  }

  /* One column after the other: code, severity and state, 24 bits of the fingerprint, time, millisatoshi. */
  async function load() {
    if (columns) return columns;
    const data = await inflate(packed);
    const at = (bytes) => { const here = at.place; at.place += bytes * total; return here; };
    at.place = 0;
    const [stake, time] = [new DataView(data, at(8), 8 * total), new DataView(data, at(4), 4 * total)];
    const [code, mark, print] = [at(1), at(1), at(3)].map((from, i) => new Uint8Array(data, from, (i === 2 ? 3 : 1) * total));
    columns = {
      code: (i) => code[i], severity: (i) => mark[i] >> 2, state: (i) => mark[i] & 3,
      print: (i) => (print[3 * i] << 16) | (print[3 * i + 1] << 8) | print[3 * i + 2],
      time: (i) => time.getUint32(4 * i, true), stake: (i) => stake.getFloat64(8 * i, true),
    };
    return columns;
  }

  async function chunk(number) {
    let rows = kept.get(number);
    if (!rows) {
      rows = JSON.parse(new TextDecoder().decode(await inflate($("packed-" + number))));
      if (kept.size > 24) kept.delete(kept.keys().next().value);
      kept.set(number, rows);
    }
    return rows;
  }
  const row = async (i) => (await chunk(Math.floor(i / size)))[i % size];

  const el = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };
  const TONE = { critical: "bad", error: "bad", warn: "warning", info: "" };
  const group = (text) => text.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  function age(time) {
    if (time === null) return "";
    const s = Math.max(0, asOf - time);
    return s < 5400 ? Math.round(s / 60) + " min" : s < 172800 ? Math.round(s / 3600) + " h" : Math.round(s / 86400) + " d";
  }

  /* A digest to its first digits; the details have it whole. */
  const short = (text) => (/^[0-9a-f]{64}$/.test(text) ? text.slice(0, 16) + "\u2026" : text);

  function draw(data) {
    const [print, code, severity, state, step, time, stake, subject, expected, observed, explanation, evidence] = data;
    const tr = el("tr");
    tr.id = "d-" + print.slice(0, 16);
    const cell = (label, content, className) => {
      const td = el("td", typeof content === "string" ? content : undefined, className);
      td.dataset.label = label;
      if (typeof content !== "string") td.append(content);
      tr.append(td);
    };
    cell("", el("span", severity, "badge " + TONE[severity]));
    cell("", el("code", code, "id"));
    cell("state", state);
    cell("step", String(step), "n");
    const details = el("details"), list = el("dl");
    const summary = el("summary", subject.map(([k, v]) => k + " " + short(v)).join(", ") || "details");
    if (explanation) summary.append(el("small", explanation));
    details.append(summary);
    const pair = (name, value, isCode) => {
      if (!value) return;
      list.append(el("dt", name));
      const dd = el("dd");
      dd.append(isCode ? el("code", value) : value);
      list.append(dd);
    };
    for (const [name, value] of subject) pair(name, value);
    pair("expected", expected);
    pair("observed", observed);
    for (const [id, role] of evidence) pair(role, id, true);
    pair("fingerprint", print, true);
    const link = el("a", "link to this divergence");
    link.href = "#" + tr.id;
    const last = el("dd");
    last.append(link);
    list.append(el("dt", ""), last);
    details.append(list);
    cell("", details, "wrap");
    cell("sats", stake === null ? "" : group(String(BigInt(stake) / 1000n)), "n");
    cell("age", age(time), "n");
    return tr;
  }

  const form = $("filter");
  const chosen = (name) => new Set([...form.querySelectorAll(`input[name=${name}]:checked`)].map((box) => box.value));
  const settings = { sort: "report", down: true };

  function clear() {
    for (const box of form.querySelectorAll("input[type=checkbox]")) box.checked = true;
    form.elements.code.value = form.elements.text.value = "";
    settings.sort = "report";
    settings.down = true;
  }

  async function find(mine) {
    const c = await load();
    const severities = chosen("severity"), states = chosen("state"), code = form.elements.code.value;
    const words = form.elements.text.value.trim().toLowerCase();
    let found = [];
    for (let i = 0; i < total; i++) {
      if (severities.has(SEVERITIES[c.severity(i)]) && states.has(STATES[c.state(i)]) && (code === "" || codes[c.code(i)] === code)) found.push(i);
    }
    if (words) {
      const hits = [];
      let done = -1, texts = null;
      for (const i of found) {
        const number = Math.floor(i / size);
        if (number !== done) {
          if (mine !== run) return null;
          texts = (await chunk(number)).map((one) => JSON.stringify(one).toLowerCase());
          done = number;
          $("count").textContent = `searching: ${group(String(i))} of ${group(String(total))}, ${hits.length} found`;
        }
        if (texts[i % size].includes(words)) hits.push(i);
      }
      found = hits;
    }
    const by = { code: (i) => codes[c.code(i)], severity: c.severity, state: c.state, stake: c.stake, age: (i) => -(c.time(i) || 2 ** 32) }[settings.sort];
    if (by) {
      const sign = settings.down ? -1 : 1;
      found.sort((a, b) => { const [x, y] = [by(a), by(b)]; return x < y ? -sign : x > y ? sign : a - b; });
    }
    return found;
  }

  async function apply() {
    const mine = ++run;
    const found = await find(mine);
    if (mine !== run || !found) return;
    order = found;
    page = 0;
    await show(mine);
  }

  async function show(mine) {
    const pages = Math.max(1, Math.ceil(order.length / PAGE));
    page = Math.min(Math.max(page, 0), pages - 1);
    const shown = order.slice(page * PAGE, page * PAGE + PAGE);
    const drawn = [];
    for (const i of shown) drawn.push(draw(await row(i)));
    if (mine !== run) return;
    body.replaceChildren(...drawn);
    $("count").textContent = `${group(String(order.length))} of ${group(String(total))} divergences` + (order.length ? `, page ${page + 1} of ${group(String(pages))}` : "");
    for (const [id, off] of [["first", page === 0], ["previous", page === 0], ["next", page >= pages - 1], ["last", page >= pages - 1]]) $(id).disabled = off;
    for (const head of section.querySelectorAll("th[data-sort]")) {
      const mineToo = head.dataset.sort === settings.sort;
      head.setAttribute("aria-sort", mineToo ? (settings.down ? "descending" : "ascending") : "none");
    }
  }

  async function go(to) {
    if (!order) order = await find(++run);
    page = to(page, Math.ceil(order.length / PAGE) - 1);
    await show(run);
    section.querySelector(".rows").scrollIntoView({ block: "start" });
  }

  /* A link to a divergence that stands on none of the static rows. */
  async function follow() {
    const id = decodeURIComponent(location.hash.slice(1));
    const match = /^d-([0-9a-f]{16})$/.exec(id);
    if (!match) return;
    if (!$(id)) {
      const c = await load(), wanted = parseInt(match[1].slice(0, 6), 16);
      let place = -1;
      for (let i = 0; i < total && place < 0; i++) if (c.print(i) === wanted && (await row(i))[0].startsWith(match[1])) place = i;
      if (place < 0) { $("count").textContent = "no divergence of this report has the fingerprint " + match[1]; return; }
      clear();
      order = await find(++run);
      page = Math.floor(place / PAGE);
      await show(run);
    }
    for (const other of body.querySelectorAll(".here")) other.classList.remove("here");
    const found = $(id);
    found.classList.add("here");
    found.querySelector("details").open = true;
    found.scrollIntoView({ block: "center" });
  }

  for (const name of codes.slice().sort()) {
    const option = el("option", name);
    option.value = name;
    form.elements.code.append(option);
  }
  let wait = 0;
  form.addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(apply, 150); });
  form.addEventListener("submit", (event) => { event.preventDefault(); apply(); });
  $("reset").onclick = () => { clear(); apply(); };
  $("first").onclick = () => go(() => 0);
  $("previous").onclick = () => go((now) => now - 1);
  $("next").onclick = () => go((now) => now + 1);
  $("last").onclick = () => go((now, end) => end);
  for (const head of section.querySelectorAll("th[data-sort]")) {
    const button = el("button", head.textContent);
    button.type = "button";
    head.replaceChildren(button);
    button.onclick = () => {
      settings.down = settings.sort === head.dataset.sort ? !settings.down : true;
      settings.sort = head.dataset.sort;
      apply();
    };
  }
  for (const part of section.querySelectorAll("[data-live]")) part.hidden = false;
  if (still.length < total) $("count").textContent = `the first ${still.length} of ${group(String(total))} divergences; filter, sort or page for the others`;
  if (total <= still.length) $("pager").hidden = total <= PAGE;
  addEventListener("hashchange", follow);
  addEventListener("beforeprint", () => { for (const one of body.querySelectorAll("details")) one.open = true; });
  follow();
})();

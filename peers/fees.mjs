// The published fee rule and its replay (FORMATS 4.2, 4.3), evaluated by JavaScript itself: its doubles and its Math.round.
// Reads one JSON document a line, {"config": IntegratorPriceConfig, "cases": [[key, amount|null, agent, recorded|null]]},
// and answers each with one line: for every case the four amounts or the name of the error; with `recorded`, the issues.
import { createInterface } from "node:readline";

const PLATFORM = 0.2;
const FLOOR = 1;
const SHARE_MAX = 0.8;

function computeFees(price, amount, isAgent) {
  const agent = isAgent ? price.agent : undefined;
  if (agent && agent.refuse === true) throw new Error("agent_refused");
  const pays = (agent && agent.site_pays) || price.site_pays;
  const share = agent && typeof agent.user_share_pct === "number" ? agent.user_share_pct : price.user_share_pct;
  let gross;
  if (pays.kind === "fixed_sats") {
    gross = Math.max(FLOOR, Math.round(pays.sats));
  } else {
    if (amount === null) throw new Error("percent_amount_missing");
    gross = Math.max(FLOOR, Math.round(amount * pays.pct));
  }
  const platform = Math.min(gross, Math.max(FLOOR, Math.round(gross * PLATFORM)));
  const user = Math.min(gross - platform, Math.round(gross * Math.min(SHARE_MAX, Math.max(0, share))));
  return [gross, platform, user, gross - platform - user];
}

const NAMES = ["gross_fee_sats", "platform_fee_sats", "user_earned_sats", "site_rebate_sats"];

function verify(events, key, amount, isAgent, recorded) {
  const price = events[key];
  if (price === undefined) return ["subtype_unconfigured"];
  if (!price.enabled) return ["subtype_disabled"];
  let fees;
  try {
    fees = computeFees(price, amount, isAgent);
  } catch (error) {
    return [error.message];
  }
  return NAMES.filter((_, part) => fees[part] !== recorded[part]).sort();
}

function answer(events, [key, amount, isAgent, recorded]) {
  if (recorded !== null) return verify(events, key, amount, isAgent, recorded);
  try {
    return computeFees(events[key], amount, isAgent);
  } catch (error) {
    return error.message;
  }
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const { config, cases } = JSON.parse(line);
  process.stdout.write(JSON.stringify(cases.map((one) => answer(config.events, one))) + "\n");
}

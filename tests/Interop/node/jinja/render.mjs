// Renders chat templates with @huggingface/jinja.
// Input: the templates as a JSON object by name on the first line, then a JSON object with template and context a line.
// Output: a JSON object with the output, or with the error, a line.
import { createInterface } from "node:readline";

// Templates ask for today; both sides of the test have the same.
process.env.TZ = "UTC";
const SystemDate = Date;
globalThis.Date = class extends SystemDate {
  constructor(...parts) {
    super(...(parts.length === 0 ? [SystemDate.UTC(2024, 6, 26, 9, 5, 3)] : parts));
  }
};
const { Template } = await import("@huggingface/jinja");

let templates;
for await (const line of createInterface({ input: process.stdin })) {
  if (templates === undefined) {
    templates = Object.fromEntries(Object.entries(JSON.parse(line)).map(([name, source]) => [name, new Template(source)]));
    continue;
  }

  const { template, context } = JSON.parse(line);
  let answer;
  try {
    answer = { output: templates[template].render(context) };
  } catch (error) {
    answer = { error: error.message };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}

// Normalizes JSON strings, one a line, to the form that the argument names.
import { createInterface } from "node:readline";

const [form] = process.argv.slice(2);
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(JSON.parse(line).normalize(form)) + "\n");
}

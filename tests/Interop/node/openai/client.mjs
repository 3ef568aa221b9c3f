// What the scripts beside this one share. They are run with the address of a gateway and the name of its model.
import assert from 'node:assert/strict';
import OpenAI from 'openai';

const [baseURL, model] = process.argv.slice(2);
assert.ok(baseURL && model, 'usage: node SCRIPT BASE_URL MODEL');

export { assert, model };
export const client = new OpenAI({ baseURL, apiKey: 'none', maxRetries: 0, timeout: 60_000 });

/** Greedy and without an end: the same answer for everybody, `tokens` long. */
export const fixed = (tokens) => ({ model, temperature: 0, max_tokens: tokens, ignore_eos: true });

export const messages = [
  { role: 'system', content: 'You are brief.' },
  { role: 'user', content: 'Tell me of the sea.' },
];

/** Reads a stream to its end. */
export async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

/** The error with which a call fails. */
export async function failure(call) {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof OpenAI.APIError, `not an error of the API: ${error}`);
    return error;
  }
  assert.fail('the call succeeded');
}

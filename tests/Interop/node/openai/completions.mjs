import { assert, client, collect, fixed } from './client.mjs';

const prompt = 'The sea is';
const whole = await client.completions.create({ ...fixed(20), prompt });
assert.equal(whole.object, 'text_completion');
assert.match(whole.id, /^cmpl-/);
assert.equal(whole.choices[0].finish_reason, 'length');
assert.equal(whole.usage.completion_tokens, 20);

const chunks = await collect(await client.completions.create({ ...fixed(20), prompt, stream: true }));
assert.equal(chunks.map((c) => c.choices[0].text).join(''), whole.choices[0].text);
assert.equal(chunks.at(-1).choices[0].finish_reason, 'length');

// Sixteen tokens when the request doesn't say.
const short = await client.completions.create({ ...fixed(undefined), prompt });
assert.equal(short.usage.completion_tokens, 16);

// The same prompt as token ids, and several prompts at once.
const base = new URL(client.baseURL).origin;
const tokenized = await (
  await fetch(`${base}/tokenize`, { method: 'POST', body: JSON.stringify({ prompt }) })
).json();
assert.equal(tokenized.count, whole.usage.prompt_tokens);
const byIds = await client.completions.create({ ...fixed(20), prompt: tokenized.tokens });
assert.equal(byIds.choices[0].text, whole.choices[0].text);
const several = await client.completions.create({ ...fixed(20), prompt: [prompt, 'Another prompt', prompt] });
assert.deepEqual(several.choices.map((c) => c.index), [0, 1, 2]);
assert.equal(several.choices[0].text, whole.choices[0].text);
assert.equal(several.choices[2].text, whole.choices[0].text);
assert.equal(several.usage.completion_tokens, 60);
const severalIds = await client.completions.create({ ...fixed(20), prompt: [tokenized.tokens, tokenized.tokens] });
assert.deepEqual(severalIds.choices.map((c) => c.text), [whole.choices[0].text, whole.choices[0].text]);

// Ids of the answer, and back to its text.
const withIds = await client.completions.create({ ...fixed(20), prompt, return_token_ids: true });
assert.equal(withIds.choices[0].token_ids.length, 20);
const detokenized = await (
  await fetch(`${base}/detokenize`, { method: 'POST', body: JSON.stringify({ tokens: withIds.choices[0].token_ids }) })
).json();
assert.equal(detokenized.prompt, withIds.choices[0].text);

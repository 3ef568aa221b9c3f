import { assert, client, collect, fixed, messages } from './client.mjs';

const chat = await client.chat.completions.create({ ...fixed(12), messages, logprobs: true, top_logprobs: 4, return_token_ids: true });
const { content } = chat.choices[0].logprobs;
assert.equal(content.length, 12);
for (const token of content) {
  assert.ok(token.logprob <= 0);
  assert.equal(token.top_logprobs.length, 4);
  const logprobs = token.top_logprobs.map((t) => t.logprob);
  assert.deepEqual(logprobs, logprobs.toSorted((a, b) => b - a));
  // Greedy: what was chosen is the likeliest.
  assert.deepEqual(token.bytes, token.top_logprobs[0].bytes);
  assert.equal(token.logprob, token.top_logprobs[0].logprob);
}
assert.equal(Buffer.from(content.flatMap((t) => t.bytes)).toString('utf8'), chat.choices[0].message.content);

const chunks = await collect(
  await client.chat.completions.create({ ...fixed(12), messages, logprobs: true, top_logprobs: 4, stream: true }),
);
assert.deepEqual(chunks.flatMap((c) => c.choices[0].logprobs?.content ?? []), content);

const bare = await client.chat.completions.create({ ...fixed(3), messages, logprobs: true });
assert.ok(bare.choices[0].logprobs.content.every((t) => t.top_logprobs.length === 0));
const without = await client.chat.completions.create({ ...fixed(3), messages });
assert.equal(without.choices[0].logprobs, null);

const completion = await client.completions.create({ ...fixed(12), prompt: 'The sea', logprobs: 3 });
const { tokens, token_logprobs, top_logprobs, text_offset } = completion.choices[0].logprobs;
assert.deepEqual([tokens.length, token_logprobs.length, top_logprobs.length, text_offset.length], [12, 12, 12, 12]);
assert.equal(text_offset[0], 0);
assert.ok(top_logprobs.every((t) => Object.keys(t).length >= 1 && Object.keys(t).length <= 4));
assert.ok(tokens.every((t, i) => t in top_logprobs[i]));

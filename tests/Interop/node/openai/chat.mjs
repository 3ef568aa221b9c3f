import { assert, client, collect, fixed, messages, model } from './client.mjs';

const { data: whole, response } = await client.chat.completions
  .create({ ...fixed(24), messages }, { headers: { 'x-request-id': 'from-node' } })
  .withResponse();
assert.equal(response.headers.get('x-request-id'), 'from-node');
assert.equal(whole.object, 'chat.completion');
assert.equal(whole.model, model);
assert.match(whole.id, /^chatcmpl-/);
assert.ok(Math.abs(whole.created - Date.now() / 1000) < 300);
assert.equal(whole.choices.length, 1);
assert.equal(whole.choices[0].message.role, 'assistant');
assert.equal(whole.choices[0].finish_reason, 'length');
assert.equal(whole.usage.completion_tokens, 24);
assert.equal(whole.usage.total_tokens, whole.usage.prompt_tokens + 24);
assert.ok(whole.usage.prompt_tokens > 10);

const chunks = await collect(
  await client.chat.completions.create({ ...fixed(24), messages, stream: true, stream_options: { include_usage: true } }),
);
assert.ok(chunks.every((c) => c.object === 'chat.completion.chunk' && c.id === chunks[0].id));
assert.deepEqual(chunks[0].choices[0].delta, { role: 'assistant', content: '' });
assert.equal(chunks.map((c) => c.choices[0]?.delta?.content ?? '').join(''), whole.choices[0].message.content);
assert.equal(chunks.at(-2).choices[0].finish_reason, 'length');
assert.deepEqual(chunks.at(-1).choices, []);
assert.equal(chunks.at(-1).usage.completion_tokens, 24);
assert.equal(chunks.at(-1).usage.prompt_tokens, whole.usage.prompt_tokens);
assert.ok(chunks.at(-1).usage.prompt_tokens_details.cached_tokens > 0, 'the second request finds its prompt cached');
assert.ok(chunks.slice(0, -1).every((c) => c.usage === null));

// Content in parts, and the helper that puts a stream together again.
const runner = client.chat.completions.stream({
  ...fixed(24),
  messages: [messages[0], { role: 'user', content: [{ type: 'text', text: messages[1].content }] }],
});
assert.equal(await runner.finalContent(), whole.choices[0].message.content);

// Ending a stream early is no error for anybody.
const ended = await client.chat.completions.create({ ...fixed(2000), messages, stream: true });
for await (const chunk of ended) {
  if (chunk.choices[0].delta.content) break;
}

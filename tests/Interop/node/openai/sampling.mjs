import { assert, client, collect, fixed, messages, model } from './client.mjs';

const sampled = { model, messages, max_tokens: 24, temperature: 1.2, top_p: 0.95, ignore_eos: true };
const text = (answer) => answer.choices.map((c) => c.message.content);

// The same seed gives the same answer, another one another.
const first = text(await client.chat.completions.create({ ...sampled, seed: 7 }));
assert.deepEqual(text(await client.chat.completions.create({ ...sampled, seed: 7 })), first);
assert.notDeepEqual(text(await client.chat.completions.create({ ...sampled, seed: 8 })), first);
assert.notDeepEqual(text(await client.chat.completions.create(sampled)), text(await client.chat.completions.create(sampled)));

// Choices differ from each other, and come again with the seed; the first is that of a request for one.
const many = await client.chat.completions.create({ ...sampled, seed: 7, n: 4 });
assert.deepEqual(many.choices.map((c) => c.index), [0, 1, 2, 3]);
assert.equal(new Set(text(many)).size, 4);
assert.equal(text(many)[0], first[0]);
assert.deepEqual(text(await client.chat.completions.create({ ...sampled, seed: 7, n: 4 })), text(many));
assert.equal(many.usage.completion_tokens, 4 * 24);

const streamed = ['', '', '', ''];
for (const chunk of await collect(await client.chat.completions.create({ ...sampled, seed: 7, n: 4, stream: true }))) {
  for (const choice of chunk.choices) streamed[choice.index] += choice.delta.content ?? '';
}
assert.deepEqual(streamed, text(many));

// A stop string ends the answer before it, streamed or not; one that never comes changes nothing.
const greedy = { ...fixed(64), messages };
const [full] = text(await client.chat.completions.create(greedy));
const characters = [...full];
const stop = characters.slice(20, 23).join('');
const expected = full.slice(0, full.indexOf(stop));
const stopped = await client.chat.completions.create({ ...greedy, stop: [stop, 'never, ever'] });
assert.equal(stopped.choices[0].message.content, expected);
assert.equal(stopped.choices[0].finish_reason, 'stop');
assert.ok(stopped.usage.completion_tokens < 64);
const pieces = await collect(await client.chat.completions.create({ ...greedy, stop, stream: true }));
assert.equal(pieces.map((c) => c.choices[0].delta.content ?? '').join(''), expected);
assert.equal(pieces.at(-1).choices[0].finish_reason, 'stop');
assert.equal(text(await client.chat.completions.create({ ...greedy, stop: 'never, ever' }))[0], full);

// A biased token is chosen always, or never.
const forced = await client.completions.create({ ...fixed(5), prompt: 'x', logit_bias: { 65: 100 }, return_token_ids: true });
assert.deepEqual(forced.choices[0].token_ids, [65, 65, 65, 65, 65]);

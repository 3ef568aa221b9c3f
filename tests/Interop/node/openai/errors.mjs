import OpenAI from 'openai';
import { assert, client, failure, fixed, messages, model } from './client.mjs';

const unknown = await failure(client.chat.completions.create({ model: 'gpt-4', messages }));
assert.ok(unknown instanceof OpenAI.NotFoundError);
assert.deepEqual([unknown.status, unknown.code, unknown.param], [404, 'model_not_found', 'model']);
assert.match(unknown.message, /gpt-4/);

const negative = await failure(client.chat.completions.create({ model, messages, max_tokens: -1 }));
assert.ok(negative instanceof OpenAI.BadRequestError);
assert.deepEqual([negative.status, negative.param, negative.type], [400, 'max_tokens', 'invalid_request_error']);

const wrongType = await failure(client.chat.completions.create({ model, messages: [messages[0], { role: 'user', content: 5 }] }));
assert.deepEqual([wrongType.status, wrongType.param], [400, 'messages.1.content']);

const tooLong = await failure(client.completions.create({ ...fixed(5), prompt: Array(100_000).fill(65) }));
assert.deepEqual([tooLong.status, tooLong.code, tooLong.param], [400, 'context_length_exceeded', 'prompt']);
assert.match(tooLong.message, /100000 tokens/);

const streamed = await failure(client.chat.completions.create({ model, messages, temperature: 9, stream: true }));
assert.deepEqual([streamed.status, streamed.param], [400, 'temperature']);

const large = await failure(client.completions.create({ model, prompt: 'x'.repeat(10_000_000) }));
assert.deepEqual([large.status, large.code], [413, 'request_too_large']);

// After all of it the next request is served.
assert.equal((await client.chat.completions.create({ ...fixed(3), messages })).usage.completion_tokens, 3);

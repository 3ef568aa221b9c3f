import { assert, client, failure, model } from './client.mjs';

const list = await client.models.list();
assert.deepEqual(list.data.map((m) => m.id), [model]);
assert.equal(list.data[0].object, 'model');
assert.equal((await client.models.retrieve(model)).id, model);
assert.equal((await failure(client.models.retrieve('gpt-4'))).status, 404);

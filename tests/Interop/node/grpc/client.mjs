// Runs one case against a server: client.mjs HOST:PORT CASE. Asserts, and exits with another code than 0 on failure.
import assert from 'node:assert/strict';
import grpc from '@grpc/grpc-js';
import { Health, Probe, pattern } from './probe.mjs';

const [target, name] = process.argv.slice(2);
const { status } = grpc;
const client = new Probe(target, grpc.credentials.createInsecure(), { 'grpc.max_receive_message_length': 16 << 20 });

const call = (method, order, options = {}, metadata = new grpc.Metadata()) => {
  const info = {};
  info.done = new Promise((resolve, reject) => {
    info.call = client[method](order, metadata, options, (error, item) => (error ? reject(error) : resolve(item)));
    info.call.on('metadata', (headers) => { info.headers = headers; });
    info.call.on('status', (end) => { info.status = end; });
  });
  return info;
};

/** Reads a stream to its end: the items and the status that it ended with. */
async function read(stream, onItem = () => {}) {
  const items = [];
  const end = new Promise((resolve) => {
    stream.on('status', resolve);
    stream.on('error', () => {});
  });
  stream.on('data', (item) => { items.push(item); onItem(item, items.length); });
  return { items, status: await end };
}

async function fails(promise, code) {
  const error = await promise.then(() => assert.fail('the call succeeded'), (e) => e);
  assert.equal(error.code, code, error.message);
  return error;
}

async function eventually(condition) {
  for (const end = Date.now() + 20_000; !(await condition());) {
    assert.ok(Date.now() < end, `never came true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const report = () => call('report', {}).done;
const soon = (ms) => ({ deadline: Date.now() + ms });

/** Waits until one more call than before hangs: one that is cancelled sooner may end before the server has read the order to hang. */
const hangs = (before) => eventually(async () => (await report()).hung === before.hung + 1);

/** Waits until the server has seen the end of the one call that has hung since. */
const ended = (before) => eventually(async () => (await report()).cancelled === before.cancelled + 1);

const cases = {
  async unary() {
    for (const size of [0, 1, 5000, 300_000]) {
      const item = await call('unary', { payload: pattern(size) }).done;
      assert.deepEqual(item.payload, pattern(size));
    }
  },

  async collect() {
    let info;
    const done = new Promise((resolve, reject) => {
      info = client.collect((error, item) => (error ? reject(error) : resolve(item)));
    });
    for (let i = 0; i < 100; i++) info.write({ payload: pattern(i * 100) });
    info.end();
    const item = await done;
    assert.equal(item.count, 100);
    assert.equal(item.bytes, 99 * 50 * 100);
  },

  async expand() {
    const { items, status: end } = await read(client.expand({ count: 200, size: 3000 }));
    assert.equal(end.code, status.OK);
    assert.deepEqual(items.map((item) => item.count), [...Array(200).keys()]);
    assert.ok(items.every((item) => item.payload.equals(pattern(3000))));
    assert.equal((await read(client.expand({ count: 0 }))).status.code, status.OK);
  },

  async chat() {
    const stream = client.chat();
    let sent = 0;
    const send = () => (sent < 50 ? stream.write({ payload: pattern(sent++ * 100) }) : stream.end());
    send();
    const { items, status: end } = await read(stream, send);
    assert.equal(end.code, status.OK);
    assert.deepEqual(items.map((item) => item.payload.length), [...Array(50).keys()].map((i) => i * 100));
  },

  async serverStreamsOnAfterTheClientsLast() {
    const stream = client.chat();
    stream.write({ count: 500 });
    stream.end();
    const { items, status: end } = await read(stream);
    assert.equal(end.code, status.OK);
    assert.equal(items.length, 501);
  },

  async errors() {
    for (const code of Object.values(status).filter((value) => value > 0)) {
      const message = `code ${code}: größe 模型 🦙 100%\n!`;
      const error = await fails(call('unary', { status: code, message }).done, code);
      assert.equal(error.details, message);
      assert.deepEqual(error.metadata.get('reason'), ['ordered']);
      assert.deepEqual(error.metadata.get('reason-bin'), [Buffer.from([0, 1, 254, 255])]);
    }
  },

  async errorAfterMessages() {
    const { items, status: end } = await read(client.expand({ count: 3, size: 10, status: status.ABORTED, message: 'halt' }));
    assert.equal(items.length, 3);
    assert.equal(end.code, status.ABORTED);
    assert.equal(end.details, 'halt');
    assert.deepEqual(end.metadata.get('reason'), ['ordered']);
  },

  async errorInAStream() {
    const stream = client.chat();
    stream.write({ payload: pattern(10) });
    stream.write({ payload: pattern(20), status: status.DATA_LOSS, message: 'ü' });
    stream.end();
    const { items, status: end } = await read(stream);
    assert.equal(items.length, 2);
    assert.equal(end.code, status.DATA_LOSS);
    assert.equal(end.details, 'ü');
  },

  async unimplemented() {
    await fails(call('missing', {}).done, status.UNIMPLEMENTED);
    const path = '/no.such.Service/Method';
    await fails(new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, () => Buffer.alloc(0), (b) => b, {}, (error, value) => (error ? reject(error) : resolve(value)));
    }), status.UNIMPLEMENTED);
  },

  async metadata() {
    const metadata = new grpc.Metadata();
    metadata.add('echo-text', 'one, two');
    metadata.add('echo-many', 'a');
    metadata.add('echo-many', 'b');
    metadata.add('echo-data-bin', Buffer.from([0, 1, 2, 255]));
    metadata.add('echo-data-bin', Buffer.from([3]));
    metadata.add('other', 'not echoed');
    const info = call('unary', { echoMetadata: true }, {}, metadata);
    await info.done;
    await eventually(() => info.status);
    for (const received of [info.headers, info.status.metadata]) {
      assert.deepEqual(received.get('echo-text'), ['one, two']);
      assert.equal(received.get('echo-many').join(', '), 'a, b');
      assert.deepEqual(received.get('echo-data-bin'), [Buffer.from([0, 1, 2, 255]), Buffer.from([3])]);
      assert.deepEqual(received.get('other'), []);
    }
  },

  async deadlineSeenByTheServer() {
    const item = await call('unary', {}, soon(30_000)).done;
    assert.ok(item.deadlineMs > 15_000 && item.deadlineMs <= 30_000, `${item.deadlineMs} ms`);
    assert.equal((await call('unary', {}).done).deadlineMs, 0);
  },

  async deadlineExceeded() {
    const before = await report();
    await fails(call('unary', { hang: true }, soon(1000)).done, status.DEADLINE_EXCEEDED);
    await ended(before);
  },

  async deadlineOfAStream() {
    const before = await report();
    const { items, status: end } = await read(client.expand({ count: 5, size: 10, hang: true }, new grpc.Metadata(), soon(1000)));
    assert.equal(items.length, 5);
    assert.equal(end.code, status.DEADLINE_EXCEEDED);
    await ended(before);
  },

  async cancelUnary() {
    const before = await report();
    const info = call('unary', { hang: true, echoMetadata: true });
    await eventually(() => info.headers);
    await hangs(before);
    info.call.cancel();
    await fails(info.done, status.CANCELLED);
    await ended(before);
  },

  async cancelExpand() {
    const before = await report();
    const stream = client.expand({ count: 3, size: 10, hang: true });
    let seen = 0;
    const reading = read(stream, (_, count) => { seen = count; });
    await eventually(() => seen === 3);
    await hangs(before);
    stream.cancel();
    const { items, status: end } = await reading;
    assert.equal(items.length, 3);
    assert.equal(end.code, status.CANCELLED);
    await ended(before);
  },

  async cancelChat() {
    const before = await report();
    const stream = client.chat();
    let seen = 0;
    const reading = read(stream, (_, count) => { seen = count; });
    stream.write({ payload: pattern(10) });
    stream.write({ hang: true });
    await eventually(() => seen === 1);
    await hangs(before);
    stream.cancel();
    assert.equal((await reading).status.code, status.CANCELLED);
    await ended(before);
  },

  async tenMegabytesEachWay() {
    const bytes = pattern(10 << 20);
    const item = await call('unary', { payload: bytes }).done;
    assert.ok(item.payload.equals(bytes));
    const stream = client.chat();
    const reading = read(stream);
    for (let i = 0; i < 3; i++) stream.write({ payload: bytes });
    stream.end();
    const { items, status: end } = await reading;
    assert.equal(end.code, status.OK, end.details);
    assert.ok(items.length === 3 && items.every((one) => one.payload.equals(bytes)));
  },

  async requestPastTheLimit() {
    const error = await fails(call('unary', { payload: Buffer.alloc(17 << 20) }).done, status.RESOURCE_EXHAUSTED);
    assert.match(error.details, /limit 16777216/);
    assert.equal((await call('unary', { payload: pattern(3) }).done).payload.length, 3);
  },

  async responsePastTheLimit() {
    await fails(call('unary', { size: 17 << 20 }).done, status.RESOURCE_EXHAUSTED);
  },

  async gzippedRequests() {
    const zipping = new Probe(target, grpc.credentials.createInsecure(), { 'grpc.default_compression_algorithm': 2 });
    for (const size of [5, 5000, 3_000_000]) {
      const item = await new Promise((resolve, reject) => {
        zipping.unary({ payload: pattern(size) }, (error, answer) => (error ? reject(error) : resolve(answer)));
      });
      assert.ok(item.payload.equals(pattern(size)));
    }
    // 17 MB that travel as some kB.
    const error = await new Promise((resolve) => { zipping.unary({ payload: Buffer.alloc(17 << 20) }, resolve); });
    assert.equal(error?.code, status.RESOURCE_EXHAUSTED);
    zipping.close();
  },

  async manyCalls() {
    await Promise.all([...Array(100).keys()].map(async (i) => {
      const item = await call('unary', { payload: pattern(i * 500) }).done;
      assert.equal(item.payload.length, i * 500);
      const { items } = await read(client.expand({ count: i, size: 100 }));
      assert.equal(items.length, i);
    }));
  },

  async slowReader() {
    const { sent } = await report();
    const stream = client.expand({ count: 2000, size: 10_000 });
    stream.on('error', () => {});
    // grpc-js holds a server back only once a first item has been taken.
    await new Promise((resolve) => {
      stream.once('data', () => { stream.pause(); resolve(); });
    });
    let before = -1;
    await eventually(async () => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      const now = (await report()).sent;
      const still = now === before && now > sent;
      before = now;
      return still;
    });
    assert.ok(before - sent < 1000, `${before - sent} of 2000 items were sent though nobody reads`);
    const reading = read(stream);
    stream.resume();
    const { items, status: end } = await reading;
    assert.equal(end.code, status.OK);
    assert.equal(items.length, 1999);
  },

  async health() {
    const health = new Health(target, grpc.credentials.createInsecure());
    const check = (service) => new Promise((resolve, reject) => {
      health.check({ service }, (error, answer) => (error ? reject(error) : resolve(answer.status)));
    });
    assert.equal(await check(''), 1);
    await fails(check('nothing'), status.NOT_FOUND);
    await new Promise((resolve) => {
      const watch = health.watch({ service: '' });
      watch.on('error', () => {});
      watch.on('data', (answer) => {
        console.log(`status ${answer.status}`);
        if (answer.status === 2) {
          watch.cancel();
          resolve();
        }
      });
    });
    assert.equal(await check(''), 2);
    health.close();
  },
};

assert.ok(cases[name], `no case '${name}'`);
await cases[name]();
client.close();

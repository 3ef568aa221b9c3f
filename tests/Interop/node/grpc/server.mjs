// The probe service in JavaScript; prints "port N" and serves until it is ended.
import grpc from '@grpc/grpc-js';
import { Probe, pattern } from './probe.mjs';

const counts = { hung: 0, cancelled: 0, sent: 0 };

function echo(metadata) {
  const copy = new grpc.Metadata();
  for (const key of Object.keys(metadata.getMap()).filter((key) => key.startsWith('echo-'))) {
    for (const value of metadata.get(key)) copy.add(key, value);
  }
  return copy;
}

/** Begins a call as its order says; true if it is to hang. */
function begin(call, order) {
  if (order.echoMetadata) call.sendMetadata(echo(call.metadata));
  if (order.hang) counts.hung++;
  return order.hang;
}

function countCancelled(call) {
  call.on('cancelled', () => { counts.cancelled++; });
}

/** The error that the order asks for, or null. */
function failure(order) {
  if (!order.status) return null;
  const metadata = new grpc.Metadata();
  metadata.add('reason', 'ordered');
  metadata.add('reason-bin', Buffer.from([0, 1, 254, 255]));
  return { code: order.status, details: order.message, metadata };
}

function trailers(call, order) {
  return order.echoMetadata ? echo(call.metadata) : undefined;
}

/** Ends a stream as the order says. */
function end(call, order) {
  const error = failure(order);
  if (error) call.emit('error', error);
  else call.end(trailers(call, order));
}

const service = {
  unary(call, answer) {
    const order = call.request;
    if (begin(call, order)) return countCancelled(call);
    const deadline = call.getDeadline();
    const deadlineMs = Number.isFinite(+deadline) ? +deadline - Date.now() : 0;
    const item = { payload: order.size > 0 ? pattern(order.size) : order.payload, deadlineMs: Math.trunc(deadlineMs) };
    answer(failure(order), item, trailers(call, order));
  },

  collect(call, answer) {
    const item = { count: 0, bytes: 0 };
    let last = {};
    call.on('data', (order) => {
      last = order;
      if (begin(call, order)) countCancelled(call);
      item.count++;
      item.bytes += order.payload.length;
    });
    call.on('end', () => { if (!last.hang) answer(failure(last), item, trailers(call, last)); });
  },

  chat(call) {
    let last = {};
    call.on('data', (order) => {
      last = order;
      if (begin(call, order)) return countCancelled(call);
      if (!call.write({ payload: order.payload })) {
        call.pause();
        call.once('drain', () => call.resume());
      }
    });
    call.on('end', async () => {
      if (last.hang) return;
      for (let i = 0; i < (last.count ?? 0); i++) await write(call, { count: i });
      end(call, last);
    });
  },

  async expand(call) {
    const order = call.request;
    const payload = pattern(order.size);
    let cancelled = false;
    call.on('cancelled', () => { cancelled = true; });
    if (order.hang) countCancelled(call);
    for (let i = 0; i < order.count && !cancelled; i++) {
      await write(call, { payload, count: i });
      counts.sent++;
    }
    if (!begin(call, order) && !cancelled) end(call, order);
  },

  report(call, answer) {
    answer(null, counts);
  },
};

/** Writes and waits for the client's window. */
function write(call, item) {
  return new Promise((resolve) => {
    if (call.write(item)) {
      resolve();
    } else {
      call.once('drain', resolve);
      call.once('cancelled', resolve);
    }
  });
}

const server = new grpc.Server({ 'grpc.max_receive_message_length': 16 << 20 });
server.addService(Probe.service, service);
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`port ${port}`);
});

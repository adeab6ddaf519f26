// A JetStream work queue on disk, measured the way ours is: prints one JSON object and nothing else.
import { AckPolicy, RetentionPolicy, StorageType, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { Completions, percentile, settings, until } from './measure.mjs';

const { port, clients, seconds, depths, samples, payload } = settings();
const connection = await connect({ servers: `127.0.0.1:${port}` });
const manager = await jetstreamManager(connection);
const stream = jetstream(connection);
const text = new TextEncoder().encode('x'.repeat(payload));

async function workQueue(name) {
  await manager.streams.add({
    name, subjects: [name], retention: RetentionPolicy.Workqueue, storage: StorageType.File, num_replicas: 1,
  });
  await manager.consumers.add(name, {
    durable_name: 'workers', ack_policy: AckPolicy.Explicit, max_ack_pending: -1, max_waiting: 1024,
  });
  return stream.consumers.get(name, 'workers');
}

async function cycles(consumer) {
  const done = new Completions();
  const waiting = [];
  const ready = [];
  // One shared subscription is how JetStream is fastest: messages come in without being asked for one by one.
  const messages = await consumer.consume({ max_messages: 4 * clients });
  const taken = (async () => {
    for await (const message of messages) {
      const waiter = waiting.shift();
      if (waiter) waiter(message); else ready.push(message);
    }
  })();
  const take = () => ready.shift() ?? new Promise((resolve) => { waiting.push(resolve); });
  let running = true;
  const client = async () => {
    while (running) {
      await stream.publish('cycles', text);
      const message = await take();
      // Acknowledged by the server, as a result of ours is.
      await message.ackAck();
      done.one();
    }
  };
  const all = Array.from({ length: clients }, client);
  const rate = await done.rate(seconds);
  running = false;
  await Promise.all(all);
  messages.stop();
  await taken;
  for (const message of ready) message.nak();
  return rate;
}

async function dispatch() {
  const consumer = await workQueue('dispatch');
  const started = new Map();
  const waits = [];
  const done = new Completions();
  let running = true;
  const worker = async () => {
    while (running) {
      const message = await consumer.next({ expires: 5_000 });
      if (!message) continue;
      waits.push(performance.now() - started.get(message.json().number));
      await message.ackAck();
      done.one();
    }
  };
  const workers = Array.from({ length: clients }, worker);
  await until(500);
  for (let number = 0; number < samples; number += 1) {
    started.set(number, performance.now());
    await stream.publish('dispatch', JSON.stringify({ number, text: 'x'.repeat(payload) }));
    await done.next();
    await until(2);
  }
  running = false;
  await Promise.all(workers);
  return { p50: percentile(waits, 50), p99: percentile(waits, 99) };
}

const result = { cycles: {}, dispatch: null };
const consumer = await workQueue('cycles');
let depth = 0;
for (const wanted of depths) {
  while (depth < wanted) {
    const some = Math.min(500, wanted - depth);
    await Promise.all(Array.from({ length: some }, () => stream.publish('cycles', text)));
    depth += some;
  }
  result.cycles[wanted] = await cycles(consumer);
  if (wanted === 0) result.dispatch = await dispatch();
}
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);

// BullMQ on Redis, measured the way ours is: prints one JSON object and nothing else.
import { Queue, Worker } from 'bullmq';
import { Completions, percentile, settings, until } from './measure.mjs';

const { port, clients, seconds, depths, samples, payload } = settings();
const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null };
const text = 'x'.repeat(payload);
// The lightest a user may choose: what is done is forgotten.
const options = { removeOnComplete: true, removeOnFail: true };

// A worker with as many slots as there are clients: finishing a job fetches the next in the same script. The
// fastest way while jobs wait; slow when the queue runs empty, because only one of the slots waits for more.
async function withSlots(queue) {
  const done = new Completions();
  const worker = new Worker(queue.name, async () => text, { connection, concurrency: clients });
  worker.on('completed', () => done.one());
  await worker.waitUntilReady();
  const rate = await loops(done, async () => {
    await queue.add('task', { request: text }, options);
    await done.next();
  });
  await worker.close();
  return rate;
}

// Every client fetches and finishes for itself.
async function byHand(queue) {
  const done = new Completions();
  const worker = new Worker(queue.name, null, { connection });
  await worker.waitUntilReady();
  const rate = await loops(done, async (number) => {
    const token = `client-${number}`;
    await queue.add('task', { request: text }, options);
    const job = await worker.getNextJob(token, { block: false });
    await job.moveToCompleted(text, token, false);
    done.one();
  });
  await worker.close();
  return rate;
}

async function loops(done, cycle) {
  let running = true;
  const client = async (_, number) => { while (running) await cycle(number); };
  const all = Promise.all(Array.from({ length: clients }, client));
  const rate = await done.rate(seconds);
  running = false;
  await all;
  return rate;
}

async function dispatch() {
  const queue = new Queue('dispatch', { connection });
  const started = new Map();
  const waits = [];
  const workers = Array.from({ length: clients }, () =>
    new Worker(queue.name, async (job) => {
      waits.push(performance.now() - started.get(job.data.number));
      return text;
    }, { connection, concurrency: 1 }));
  await Promise.all(workers.map((worker) => worker.waitUntilReady()));
  const done = new Completions();
  for (const worker of workers) worker.on('completed', () => done.one());
  await until(500);
  for (let number = 0; number < samples; number += 1) {
    started.set(number, performance.now());
    await queue.add('task', { number, request: text }, options);
    await done.next();
    await until(2);
  }
  await Promise.all(workers.map((worker) => worker.close(true)));
  await queue.close();
  return { p50: percentile(waits, 50), p99: percentile(waits, 99) };
}

const queue = new Queue('cycles', { connection });
const result = { cycles: {}, dispatch: null };
let depth = 0;
for (const wanted of depths) {
  while (depth < wanted) {
    const some = Math.min(500, wanted - depth);
    await queue.addBulk(Array.from({ length: some }, () => ({ name: 'task', data: { request: text }, opts: options })));
    depth += some;
  }
  // The better of the two is BullMQ's figure.
  result.cycles[wanted] = Math.max(await withSlots(queue), await byHand(queue));
  if (wanted === 0) result.dispatch = await dispatch();
}
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);

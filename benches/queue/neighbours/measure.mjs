// What the neighbours' programs share: their settings, counting what is done, percentiles.

export const settings = () => JSON.parse(process.argv[2]);

export const until = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

export function percentile(values, hundredths) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * hundredths) / 100))];
}

// Counts what is done, and lets each who submitted wait until one more is.
export class Completions {
  count = 0;
  #spare = 0;
  #waiting = [];

  one() {
    this.count += 1;
    const waiter = this.#waiting.shift();
    if (waiter) waiter(); else this.#spare += 1;
  }

  next() {
    if (this.#spare > 0) {
      this.#spare -= 1;
      return Promise.resolve();
    }
    return new Promise((resolve) => { this.#waiting.push(resolve); });
  }

  // Done in a second, after half a second to warm up.
  async rate(seconds) {
    await until(500);
    const before = this.count;
    const start = performance.now();
    await until(seconds * 1000);
    return ((this.count - before) * 1000) / (performance.now() - start);
  }
}

// Causal attention for short sequences on a CPU with wide vectors: PyTorch's own kernels spend most of their time
// on overheads at these sizes, half of a training step. Everything is float32; heads are 64 wide.
//
// q, o and their gradients are (batch, length, heads, 64), k and v (batch, length, key heads, 64), all contiguous.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 64
#define BLOCK 64
#define ROWS 4
// a score that no softmax sees
#define NEVER -1e30f

typedef float lanes __attribute__((vector_size(64), aligned(4)));
#define LANES 16

// c[ROWS][64] = (or +=) sum over k of a[row * a_row + k * a_k] * b[k * b_k .. + 64]
static inline void product(int depth, const float *a, long a_row, long a_k, const float *b, long b_k, float *c,
                           long c_row, int add) {
  lanes sum[ROWS][4];
  for (int r = 0; r < ROWS; r++)
    for (int l = 0; l < 4; l++) sum[r][l] = add ? *(const lanes *)(c + r * c_row + l * LANES) : (lanes){0};
  for (int k = 0; k < depth; k++) {
    const lanes *row = (const lanes *)(b + k * b_k);
    lanes b0 = row[0], b1 = row[1], b2 = row[2], b3 = row[3];
    for (int r = 0; r < ROWS; r++) {
      float x = a[r * a_row + k * a_k];
      sum[r][0] += x * b0;
      sum[r][1] += x * b1;
      sum[r][2] += x * b2;
      sum[r][3] += x * b3;
    }
  }
  for (int r = 0; r < ROWS; r++)
    for (int l = 0; l < 4; l++) *(lanes *)(c + r * c_row + l * LANES) = sum[r][l];
}

// how many columns hold `seen` in whole vectors: loops over them need no tail
static inline int whole(int seen) { return (seen + LANES - 1) / LANES * LANES; }

static inline int rounded(int length) { return (length + BLOCK - 1) / BLOCK * BLOCK; }

static float *room(long floats) { return aligned_alloc(64, (floats * sizeof(float) + 63) / 64 * 64); }

// Rows of one head as a dense block, or as its transpose; what lies beyond the length is zero.
static void gather(const float *from, long stride, int length, int padded, float *to) {
  for (int i = 0; i < length; i++) memcpy(to + (long)i * WIDTH, from + i * stride, WIDTH * sizeof(float));
  memset(to + (long)length * WIDTH, 0, (long)(padded - length) * WIDTH * sizeof(float));
}

static void transpose(const float *from, int padded, float *to) {
  for (int i = 0; i < padded; i++)
    for (int d = 0; d < WIDTH; d++) to[(long)d * padded + i] = from[(long)i * WIDTH + d];
}

// the queries of a block, in whole rows of a product: what is padded behind the last is not computed
static inline int used(int at, int length) {
  return length - at >= BLOCK ? BLOCK : (length - at + ROWS - 1) / ROWS * ROWS;
}

// scores of one block of queries against all keys up to its end
static void scores(const float *queries, const float *turned, int padded, int rows, int keys, float *to) {
  for (int i = 0; i < rows; i += ROWS)
    for (int j = 0; j < keys; j += BLOCK)
      product(WIDTH, queries + i * WIDTH, WIDTH, 1, turned + j, padded, to + (long)i * padded + j, padded, 0);
}

void attend(const float *q, const float *k, const float *v, float *o, float *logs, int batch, int length, int heads,
            int key_heads) {
  const int padded = rounded(length), shared = heads / key_heads;
  const float scale = 1.0f / sqrtf(WIDTH);
#pragma omp parallel
  {
    float *keys = room((long)padded * WIDTH), *values = room((long)padded * WIDTH);
    float *turned = room((long)padded * WIDTH), *queries = room((long)padded * WIDTH);
    float *weights = room((long)BLOCK * padded), *out = room(BLOCK * WIDTH);
#pragma omp for schedule(dynamic)
    for (int item = 0; item < batch * key_heads; item++) {
      const int b = item / key_heads, kh = item % key_heads;
      gather(k + ((long)b * length * key_heads + kh) * WIDTH, (long)key_heads * WIDTH, length, padded, keys);
      gather(v + ((long)b * length * key_heads + kh) * WIDTH, (long)key_heads * WIDTH, length, padded, values);
      transpose(keys, padded, turned);
      for (int h = kh * shared; h < (kh + 1) * shared; h++) {
        gather(q + ((long)b * length * heads + h) * WIDTH, (long)heads * WIDTH, length, padded, queries);
        for (int at = 0; at < length; at += BLOCK) {
          const int rows = used(at, length);
          scores(queries + (long)at * WIDTH, turned, padded, rows, at + BLOCK, weights);
          for (int i = 0; i < rows; i++) {
            float *row = weights + (long)i * padded;
            const int seen = at + i + 1;
            float top = NEVER, total = 0;
            for (int j = seen; j < at + BLOCK; j++) row[j] = NEVER;
            for (int j = 0; j < whole(seen); j++) top = row[j] > top ? row[j] : top;
            for (int j = 0; j < whole(seen); j++) row[j] = expf((row[j] - top) * scale);
            for (int j = 0; j < whole(seen); j++) total += row[j];
            const float share = 1.0f / total;
            for (int j = 0; j < whole(seen); j++) row[j] *= share;
            memset(row + seen, 0, (at + BLOCK - seen) * sizeof(float));
            if (at + i < length) logs[((long)b * heads + h) * length + at + i] = top * scale + logf(total);
          }
          for (int i = 0; i < rows; i += ROWS)
            product(at + i + ROWS, weights + (long)i * padded, padded, 1, values, WIDTH, out + i * WIDTH, WIDTH, 0);
          for (int i = 0; i < rows && at + i < length; i++)
            memcpy(o + (((long)b * length + at + i) * heads + h) * WIDTH, out + i * WIDTH, WIDTH * sizeof(float));
        }
      }
    }
    free(keys), free(values), free(turned), free(queries), free(weights), free(out);
  }
}

void attend_backward(const float *q, const float *k, const float *v, const float *o, const float *logs,
                     const float *go, float *gq, float *gk, float *gv, int batch, int length, int heads,
                     int key_heads) {
  const int padded = rounded(length), shared = heads / key_heads;
  const float scale = 1.0f / sqrtf(WIDTH);
  const long all = (long)padded * WIDTH;
#pragma omp parallel
  {
    float *keys = room(all), *values = room(all), *turned_keys = room(all), *turned_values = room(all);
    float *queries = room(all), *given = room(all), *key_sums = room(all), *value_sums = room(all);
    float *weights = room((long)BLOCK * padded), *slopes = room((long)BLOCK * padded), *out = room(BLOCK * WIDTH);
#pragma omp for schedule(dynamic)
    for (int item = 0; item < batch * key_heads; item++) {
      const int b = item / key_heads, kh = item % key_heads;
      const long at_keys = ((long)b * length * key_heads + kh) * WIDTH, key_stride = (long)key_heads * WIDTH;
      gather(k + at_keys, key_stride, length, padded, keys);
      gather(v + at_keys, key_stride, length, padded, values);
      transpose(keys, padded, turned_keys);
      transpose(values, padded, turned_values);
      memset(key_sums, 0, all * sizeof(float));
      memset(value_sums, 0, all * sizeof(float));
      for (int h = kh * shared; h < (kh + 1) * shared; h++) {
        const long at_queries = ((long)b * length * heads + h) * WIDTH, stride = (long)heads * WIDTH;
        gather(q + at_queries, stride, length, padded, queries);
        gather(go + at_queries, stride, length, padded, given);
        for (int at = 0; at < length; at += BLOCK) {
          const int width = at + BLOCK, rows = used(at, length);
          scores(queries + (long)at * WIDTH, turned_keys, padded, rows, width, weights);
          scores(given + (long)at * WIDTH, turned_values, padded, rows, width, slopes);
          for (int i = 0; i < rows; i++) {
            float *row = weights + (long)i * padded, *slope = slopes + (long)i * padded;
            const int seen = at + i < length ? at + i + 1 : 0;
            if (seen) {
              const float log_sum = logs[((long)b * heads + h) * length + at + i];
              const float *own = o + at_queries + (at + i) * stride, *asked = given + (long)(at + i) * WIDTH;
              float mean = 0;
              for (int d = 0; d < WIDTH; d++) mean += own[d] * asked[d];
              for (int j = seen; j < width; j++) row[j] = NEVER;
              for (int j = 0; j < whole(seen); j++) row[j] = expf(row[j] * scale - log_sum);
              for (int j = 0; j < whole(seen); j++) slope[j] = row[j] * (slope[j] - mean) * scale;
            }
            memset(row + seen, 0, (width - seen) * sizeof(float));
            memset(slope + seen, 0, (width - seen) * sizeof(float));
          }
          for (int i = 0; i < rows; i += ROWS)
            product(at + i + ROWS, slopes + (long)i * padded, padded, 1, keys, WIDTH, out + i * WIDTH, WIDTH, 0);
          for (int i = 0; i < rows && at + i < length; i++)
            memcpy(gq + at_queries + (at + i) * stride, out + i * WIDTH, WIDTH * sizeof(float));
          for (int j = 0; j < at + rows; j += ROWS) {
            // queries before the key see nothing of it
            const int from = j > at ? j - at : 0;
            product(rows - from, weights + (long)from * padded + j, 1, padded, given + (long)(at + from) * WIDTH,
                    WIDTH, value_sums + (long)j * WIDTH, WIDTH, 1);
            product(rows - from, slopes + (long)from * padded + j, 1, padded, queries + (long)(at + from) * WIDTH,
                    WIDTH, key_sums + (long)j * WIDTH, WIDTH, 1);
          }
        }
      }
      for (int i = 0; i < length; i++) {
        memcpy(gk + at_keys + i * key_stride, key_sums + (long)i * WIDTH, WIDTH * sizeof(float));
        memcpy(gv + at_keys + i * key_stride, value_sums + (long)i * WIDTH, WIDTH * sizeof(float));
      }
    }
    free(keys), free(values), free(turned_keys), free(turned_values), free(queries), free(given);
    free(key_sums), free(value_sums), free(weights), free(slopes), free(out);
  }
}

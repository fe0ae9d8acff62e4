/* SPDX-License-Identifier: MIT */
/*
 * What the measuring programs share: a clock, an end with a sentence, checked
 * numbers, and the fixed keys of the benchmark's data (they protect nothing).
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { REGION = 4 << 20, NONCE_LEN = 12, TAG_LEN = 16, OVERHEAD = NONCE_LEN + TAG_LEN };

#define BENCH_KID     "bench-kek"
#define BENCH_KEY_LEN 32

static const unsigned char bench_cek[BENCH_KEY_LEN] = "content key of the benchmark   ";
static const unsigned char bench_kek[BENCH_KEY_LEN] = "key-encryption key of the bench";

static inline double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

__attribute__((noreturn, format(printf, 1, 2))) static inline void
die(const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, saved ? ": %s\n" : "\n", strerror(saved));
	exit(1);
}

static inline void *
must_alloc(size_t n)
{
	void *p = aligned_alloc(4096, (n + 4095) & ~(size_t)4095);

	if (!p)
		die("no memory");
	return p;
}

static inline uint64_t
must_number(const char *text)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || end == text || *end)
		die("not a number: %s", text);
	return v;
}

/* xorshift: the same places in every run that has the same seed. */
static inline uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* The first n of a shuffled 0..total-1 (caller frees). */
static inline uint64_t *
shuffled(uint64_t total, uint64_t n, uint64_t seed)
{
	uint64_t *order = must_alloc(total * sizeof(*order));
	uint64_t state = seed * 2654435761u + 88172645463325252u;
	uint64_t i, j, t;

	for (i = 0; i < total; i++)
		order[i] = i;
	for (i = 0; i < n; i++) {
		j = i + next_random(&state) % (total - i);
		t = order[i];
		order[i] = order[j];
		order[j] = t;
	}
	return order;
}

#endif

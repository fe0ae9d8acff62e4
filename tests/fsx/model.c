/* SPDX-License-Identifier: MIT */
/* The bytes that files must have, chance, and the log of what was done. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fsx/fsx.h"

/* splitmix64: the same numbers for the same seed, on every machine. */
uint64_t
fsx_random(struct fsx *x)
{
	uint64_t z = x->dice += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

uint64_t
fsx_below(struct fsx *x, uint64_t limit)
{
	return limit == 0 ? 0 : fsx_random(x) % limit;
}

bool
fsx_one_in(struct fsx *x, unsigned n)
{
	return n != 0 && fsx_below(x, n) == 0;
}

uint64_t
fsx_offset(struct fsx *x, uint64_t limit)
{
	static const uint64_t steps[] = { 16, 4096, 131072, 262144, 4194304 };
	uint64_t step = steps[fsx_below(x, sizeof(steps) / sizeof(steps[0]))];
	uint64_t at, off;

	if (fsx_one_in(x, 3) || limit < step)
		return fsx_below(x, limit + 1);
	at = step * fsx_below(x, limit / step + 1);
	off = fsx_one_in(x, 2) ? at : at + fsx_below(x, 5) - 2;
	return off > limit ? at : off;
}

uint64_t
fsx_length(struct fsx *x, uint64_t limit)
{
	static const uint64_t most[] = { 16, 512, 4096, 5000, 65536, 131072, 300000, 5000000 };
	uint64_t cap = most[fsx_below(x, sizeof(most) / sizeof(most[0]))];

	if (limit == 0)
		return 0;
	return 1 + fsx_below(x, cap < limit ? cap : limit);
}

void
fsx_fill(struct fsx *x, unsigned char *out, size_t n)
{
	uint64_t word;
	size_t i;

	for (i = 0; i < n; i += sizeof(word)) {
		word = fsx_random(x);
		memcpy(out + i, &word, n - i < sizeof(word) ? n - i : sizeof(word));
	}
}

bool
fsx_plants(struct fsx *x, enum plant which)
{
	if (x->opt.plant != which || x->n.ops < x->opt.plant_at || !fsx_one_in(x, 4))
		return false;
	fsx_say(x, "  (here the fault was planted)");
	return true;
}

static void
grow(struct content *c, uint64_t size)
{
	if (size <= c->size)
		return;
	if (size > c->room) {
		c->room = size + size / 2;
		c->bytes = realloc(c->bytes, c->room);
		if (c->bytes == NULL)
			fsx_die("no memory");
	}
	memset(c->bytes + c->size, 0, size - c->size);
	c->size = size;
}

void
content_write(struct content *c, uint64_t off, const void *bytes, uint64_t n)
{
	if (n == 0)
		return;
	grow(c, off + n);
	memcpy(c->bytes + off, bytes, n);
}

void
content_truncate(struct content *c, uint64_t size)
{
	grow(c, size);
	c->size = size;
}

void
content_copy(struct content *to, const struct content *from)
{
	if (to->size < from->size)
		grow(to, from->size);
	if (from->size > 0)
		memcpy(to->bytes, from->bytes, from->size);
	to->size = from->size;
	to->absent = from->absent;
}

void
content_remove(struct content *c)
{
	c->size = 0;
	c->absent = true;
}

void
content_move(struct content *to, struct content *from)
{
	struct content old = *to;

	*to = *from;
	*from = old;
	content_remove(from);
}

void
content_free(struct content *c)
{
	free(c->bytes);
	*c = (struct content){ .absent = true };
}

void
fsx_say(struct fsx *x, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(x->log[x->n.ops % x->opt.log], LINE_MAX_LOG, fmt, ap);
	va_end(ap);
}

void
fsx_mismatch(struct fsx *x, const char *fmt, ...)
{
	uint64_t i, first = x->n.ops < x->opt.log ? 0 : x->n.ops - x->opt.log + 1;
	va_list ap;

	for (i = first; i <= x->n.ops; i++)
		fprintf(stderr, "%8llu %s\n", (unsigned long long)i, x->log[i % x->opt.log]);
	fprintf(stderr,
		"fsx: MISMATCH at operation %llu, seed %llu: ", (unsigned long long)x->n.ops,
		(unsigned long long)x->opt.seed);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	_exit(1); /* other threads go on */
}

void
fsx_die(const char *fmt, ...)
{
	int error = errno;
	va_list ap;

	fprintf(stderr, "fsx: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s%s\n", error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
	exit(2);
}

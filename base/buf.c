/* SPDX-License-Identifier: MIT */
/* Bounded, wiping byte buffer: see buf.h. */
#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"

enum { BUF_FIRST = 256 };

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void
buf_clear(struct buf *b)
{
	if (b->p != NULL) {
		explicit_bzero(b->p, b->room);
		free(b->p);
	}
	buf_init(b, b->max);
}

void
buf_reset(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->n + 1);
	b->n = 0;
}

/*
 * realloc would leave a copy of the old bytes behind.  What is asked for at once is taken as it
 * is: room that nobody uses costs its pages all the same, since all of it is wiped.
 */
static int
grow(struct buf *b, size_t need, struct err *e)
{
	size_t room;
	uint8_t *p;

	if (!size_mul(b->room, 2, &room))
		return err_set(e, ENOMEM, "out of memory");
	if (room < BUF_FIRST)
		room = BUF_FIRST;
	if (room < need)
		room = need;
	if (room > b->max + 1)
		room = b->max + 1;
	p = malloc(room);
	if (p == NULL)
		return err_set(e, ENOMEM, "out of memory");
	if (b->p != NULL) {
		memcpy(p, b->p, b->n);
		explicit_bzero(b->p, b->room);
		free(b->p);
	}
	b->p = p;
	b->room = room;
	return 0;
}

int
buf_reserve(struct buf *b, size_t n, uint8_t **out, struct err *e)
{
	size_t need;
	int r;

	if (!size_add(b->n, n, &need) || need > b->max)
		return err_set(e, EFBIG, "more than %zu bytes", b->max);
	if (need + 1 > b->room) {
		r = grow(b, need + 1, e);
		if (r < 0)
			return r;
	}
	*out = b->p + b->n;
	return 0;
}

int
buf_add(struct buf *b, const void *p, size_t n, struct err *e)
{
	uint8_t *to;
	int r = buf_reserve(b, n, &to, e);

	if (r < 0)
		return r;
	if (n > 0)
		memcpy(to, p, n);
	b->n += n;
	b->p[b->n] = '\0';
	return 0;
}

int
buf_add_str(struct buf *b, const char *s, struct err *e)
{
	return buf_add(b, s, strlen(s), e);
}

int
buf_addf(struct buf *b, struct err *e, const char *fmt, ...)
{
	va_list ap;
	uint8_t *to;
	int n, r;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	r = buf_reserve(b, (size_t)n, &to, e);
	if (r < 0)
		return r;
	va_start(ap, fmt);
	(void)vsnprintf((char *)to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
	return 0;
}

const char *
buf_str(const struct buf *b)
{
	if (b->p == NULL)
		return "";
	b->p[b->n] = '\0';
	return (const char *)b->p;
}

/* SPDX-License-Identifier: MIT */
/*
 * A growable byte buffer with a ceiling.  Whoever makes one says how large it
 * may become; growing beyond that is EFBIG, so no answer from a stranger can
 * eat the memory.  Old bytes are wiped whenever the buffer moves or is freed:
 * answers carry tokens and keys.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct buf {
	uint8_t *p; /* NULL until the first byte; always followed by a NUL byte that n does not
		       count */
	size_t n;   /* bytes held */
	size_t room;
	size_t max; /* ceiling in bytes, without the NUL */
};

/* Makes an empty buffer that may hold up to max bytes.  Allocates nothing. */
void buf_init(struct buf *b, size_t max);

/* Wipes and frees; the buffer is empty and usable again with the same ceiling. */
void buf_clear(struct buf *b);

/* Appends.  -EFBIG past the ceiling, -ENOMEM; on failure the buffer is as before. */
int buf_add(struct buf *b, const void *p, size_t n, struct err *e) MUST_CHECK;
int buf_add_str(struct buf *b, const char *s, struct err *e) MUST_CHECK;
int buf_addf(struct buf *b, struct err *e, const char *fmt, ...) PRINTF_LIKE(3, 4) MUST_CHECK;

/*
 * Makes room for n more bytes and sets *out to where they go; the caller then adds what it wrote
 * to b->n.
 */
int buf_reserve(struct buf *b, size_t n, uint8_t **out, struct err *e) MUST_CHECK;

/* Forgets the content (wiped) but keeps the memory for reuse. */
void buf_reset(struct buf *b);

/* The text held, "" when there is none.  Good until the buffer changes. */
const char *buf_str(const struct buf *b);

static inline struct span
buf_span(const struct buf *b)
{
	return span_of(b->p, b->n);
}

#define AUTO_BUF struct buf CLEANUP(buf_clear)

#endif

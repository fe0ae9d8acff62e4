/* SPDX-License-Identifier: MIT */
/* When a document was changed: see docdirstamp.h. */
#include "backend/store/docdirstamp.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { DIGITS = 16 };

/* As it stands in JSON, where the quotes are escaped. */
static const char before[] = "\\\"dir-", between[] = "-", after[] = "\\\"";

int
docdirstamp_compare(const struct docdirstamp *a, const struct docdirstamp *b)
{
	if (a->ts != b->ts)
		return a->ts < b->ts ? -1 : 1;
	if (a->ns != b->ns)
		return a->ns < b->ns ? -1 : 1;
	return 0;
}

/* 0 has a meaning of its own, and one nanosecond is nothing. */
struct docdirstamp
docdirstamp_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (struct docdirstamp){ now.tv_sec, now.tv_nsec > 0 ? (uint32_t)now.tv_nsec : 1 };
}

struct docdirstamp
docdirstamp_after(const struct docdirstamp *that)
{
	const struct docdirstamp now = docdirstamp_now();

	if (that == NULL || docdirstamp_compare(&now, that) > 0)
		return now;
	if (that->ns + 1 < NS_PER_S)
		return (struct docdirstamp){ that->ts, that->ns + 1 };
	return (struct docdirstamp){ that->ts + 1, 1 };
}

void
docdirstamp_etag(const struct docdirstamp *s, char out[static DOCSTORE_ETAG_MAX + 1])
{
	uint64_t number;

	arc4random_buf(&number, sizeof(number));
	(void)snprintf(out, DOCSTORE_ETAG_MAX + 1, "\"dir-%016llX-%016llX\"",
		       (unsigned long long)(s->ts * NS_PER_S + s->ns), (unsigned long long)number);
}

static bool
take(struct span *text, const char *what)
{
	const size_t n = strlen(what);

	if (text->n < n || memcmp(text->p, what, n) != 0)
		return false;
	*text = span_of(text->p + n, text->n - n);
	return true;
}

static bool
take_digits(struct span *text, uint64_t *out)
{
	uint64_t n = 0;

	if (text->n < DIGITS)
		return false;
	for (size_t i = 0; i < DIGITS; i++) {
		const uint8_t c = text->p[i];

		if (c >= '0' && c <= '9')
			n = n << 4 | (uint64_t)(c - '0');
		else if (c >= 'A' && c <= 'F')
			n = n << 4 | (uint64_t)(c - 'A' + 10);
		else
			return false;
	}
	*text = span_of(text->p + DIGITS, text->n - DIGITS);
	*out = n;
	return true;
}

/* One whose _ts is another is none of ours. */
struct docdirstamp
docdirstamp_of(const struct document_head *head)
{
	struct span text = head->etag;
	uint64_t ns, number;

	if (text.p != NULL && take(&text, before) && take_digits(&text, &ns) &&
	    take(&text, between) && take_digits(&text, &number) && take(&text, after) &&
	    text.n == 0 && head->ts >= 0 && ns / NS_PER_S == (uint64_t)head->ts)
		return (struct docdirstamp){ head->ts, (uint32_t)(ns % NS_PER_S) };
	return (struct docdirstamp){ head->ts, 0 };
}

/* SPDX-License-Identifier: MIT */
/*
 * Target: partition texts (backend/store/partition.c).  What has been taken apart and put together
 * is ASCII, is a partition text, and stays as it is when that is done again.
 */
#include <errno.h>
#include <stdlib.h>

#include "backend/store/partition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct container_def plain = { .n_partition = CONTAINER_PATHS_MAX };

enum { TEXT_MAX = 64 << 10 };

static int
add_value(void *arg, unsigned i, struct span raw, struct err *e)
{
	(void)i;
	return partition_add(arg, raw, e);
}

/* 0, or -errno when text is none, or a number of it is too large. */
static int
rewrite(const char *text, struct buf *out, struct err *e)
{
	int r = partition_each(text, add_value, out, e);

	return r < 0 ? r : partition_end(out, &plain, e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf text, once, twice;
	struct err e = { 0 };
	int r;

	buf_init(&text, TEXT_MAX);
	buf_init(&once, 8 * TEXT_MAX);
	buf_init(&twice, 8 * TEXT_MAX);
	r = buf_add(&text, data, n < TEXT_MAX ? n : TEXT_MAX, &e);
	if (r == 0)
		r = rewrite(buf_str(&text), &once, &e);
	if ((r == 0) != (e.no == 0) || (r != 0 && r != -EINVAL && r != -ENOMEM))
		abort();
	for (size_t i = 0; i < once.n; i++)
		if (once.p[i] < ' ' || once.p[i] >= 0x7f)
			abort();
	if (r == 0 && (rewrite(buf_str(&once), &twice, &e) < 0 || once.n != twice.n ||
		       memcmp(once.p, twice.p, once.n) != 0))
		abort();
	buf_clear(&text);
	buf_clear(&once);
	buf_clear(&twice);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* Targets: docmatch_all and docmatch_string (backend/store/docmatch.c), docdircursor_parse
 * (backend/store/docdircursor.c).  The first line is a condition's value and a cursor, the rest a
 * document.  A cursor that is taken is written as it was. */
#include <stdlib.h>

#include "backend/store/docdircursor.h"
#include "backend/store/docmatch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
try_cursor(struct span text, bool changes)
{
	struct docdircursor c = { .changes = changes };
	struct err e = { 0 };
	struct buf again;

	if (docdircursor_parse(text, "rid==", &c, &e) == 0) {
		buf_init(&again, DOCSTORE_CURSOR_MAX);
		if (docdircursor_write(&c, "rid==", &again, &e) < 0 || again.n > text.n)
			abort();
		err_clear(&e);
		if (docdircursor_parse(buf_span(&again), "rid==", &c, &e) < 0)
			abort();
		buf_clear(&again);
	}
}

static void
try_document(struct span text, const char *value)
{
	static const char *const token[] = { "a", "b" };
	const struct docstore_equal equal = { token, 2, &value, 1 };
	struct err e = { 0 };
	bool found = false;
	struct buf out;

	if ((docmatch_all(text, &equal, 1, &found, &e) == 0) != (e.no == 0))
		abort();
	err_clear(&e);
	buf_init(&out, 4096);
	if ((docmatch_string(text, "id", &out, &found, &e) == 0) != (e.no == 0))
		abort();
	(void)docmatch_same_etag(buf_span(&out), value);
	buf_clear(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const uint8_t *line = n > 0 ? memchr(data, '\n', n) : NULL;
	const size_t first = line != NULL ? (size_t)(line - data) : n;
	char *value = strndup((const char *)data, first);

	if (value == NULL)
		return 0;
	try_cursor(span_of(data, first), false);
	try_cursor(span_of(data, first), true);
	if (line != NULL)
		try_document(span_of(line + 1, n - first - 1), value);
	free(value);
	return 0;
}

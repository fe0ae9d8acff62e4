/* SPDX-License-Identifier: MIT */
/* What a call has sent: see docstore_seen.h. */
#include "tests/contract/docstore_seen.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PAGES_MAX = 4 * SEEN_MAX };

void
docstore_seen_clear(struct docstore_seen *s)
{
	for (unsigned i = 0; i < s->n; i++)
		free(s->text[i]);
	*s = (struct docstore_seen){ .n = 0 };
}

static int
by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void
docstore_seen_sort(struct docstore_seen *s)
{
	qsort(s->text, s->n, sizeof(s->text[0]), by_bytes);
}

void
docstore_seen_add(struct docstore_seen *s, const char *text)
{
	assert_true(s->n < SEEN_MAX);
	s->text[s->n++] = strdup(text);
}

bool
docstore_seen_has(const struct docstore_seen *s, const char *text)
{
	for (unsigned i = 0; i < s->n; i++)
		if (strcmp(s->text[i], text) == 0)
			return true;
	return false;
}

void
docstore_seen_drop(struct docstore_seen *s, const char *member)
{
	for (unsigned i = 0; i < s->n; i++) {
		char *at = strstr(s->text[i], member), *rest;

		if (at == NULL)
			continue;
		rest = at + strlen(member);
		rest += strspn(rest, "0123456789");
		memmove(at, rest, strlen(rest) + 1);
	}
}

void
docstore_seen_same(struct docstore_seen *found, struct docstore_seen *wanted, const char *what)
{
	docstore_seen_sort(found);
	docstore_seen_sort(wanted);
	for (unsigned i = 0; i < found->n || i < wanted->n; i++) {
		const char *f = i < found->n ? found->text[i] : "(nothing)",
			   *w = i < wanted->n ? wanted->text[i] : "(nothing)";

		if (strcmp(f, w) != 0)
			fail_msg("%s: found %.300s\nwanted %.300s", what, f, w);
	}
}

static int
see_text(void *arg, struct span text, struct err *e)
{
	struct docstore_seen *s = arg;

	if (s->n + 1 == s->fail_at)
		return err_set(e, EDOM, "the test's sink fails");
	assert_true(s->n < SEEN_MAX);
	assert_true(text.n == 0 || memchr(text.p, '\0', text.n) == NULL);
	s->text[s->n++] = strndup((const char *)text.p, text.n);
	return 0;
}

static int
see_name(void *arg, const char *name, struct err *e)
{
	return see_text(arg, span_str(name), e);
}

static int
see_range(void *arg, const char *min, const char *max, struct err *e)
{
	char text[2 * DOCSTORE_EPK_MAX + 2];

	(void)snprintf(text, sizeof(text), "%s-%s", min, max);
	return see_text(arg, span_str(text), e);
}

struct docstore_sink
docstore_seen_texts(struct docstore_seen *s)
{
	return (struct docstore_sink){ see_text, s };
}

struct docstore_names
docstore_seen_names(struct docstore_seen *s)
{
	return (struct docstore_names){ see_name, s };
}

struct docstore_ranges
docstore_seen_ranges(struct docstore_seen *s)
{
	return (struct docstore_ranges){ see_range, s };
}

void
docstore_seen_on(struct docstore *store, const struct docstore_at *at,
		 const struct docstore_select *sel, struct buf *cursor, struct docstore_seen *seen)
{
	struct docstore_page page;
	struct err e = { 0 };
	unsigned pages = 0;

	do {
		const unsigned before = seen->n;

		if (docstore_page(store, at, sel, cursor, docstore_seen_texts(seen), &page,
				  deadline_in(60 * NS_PER_S), &e) < 0)
			fail_msg("page: %s", e.text);
		assert_true(sel->max_items == 0 || seen->n - before <= sel->max_items);
		assert_true(++pages < PAGES_MAX);
		assert_true(page.charge >= 0);
		assert_true(!sel->changes || cursor->n > 0);
	} while (sel->changes ? !page.idle : cursor->n > 0);
}

void
docstore_seen_pages(struct docstore *store, const struct docstore_at *at,
		    const struct docstore_select *sel, struct docstore_seen *seen)
{
	struct buf cursor;

	buf_init(&cursor, DOCSTORE_CURSOR_MAX);
	docstore_seen_on(store, at, sel, &cursor, seen);
	buf_clear(&cursor);
}

/* SPDX-License-Identifier: MIT */
/* What tests of the Cosmos driver over scripted answers share: a store, a clock, sinks. */
#ifndef TESTS_UNIT_STORE_COSMOS_DOUBLE_H
#define TESTS_UNIT_STORE_COSMOS_DOUBLE_H

#include "tests/unit/store/http_double.h"

#include "backend/store/docstore.h"

#define OK(headers_, body_)                                       \
	{                                                         \
		.status = 200, .headers = headers_, .body = body_ \
	}
#define STATUS(status_, substatus)                                              \
	{                                                                       \
		.status = status_, .headers = "x-ms-substatus: " substatus "\n" \
	}
#define DOCS(inner) "{\"_rid\":\"r\",\"Documents\":[" inner "],\"_count\":1}"
#define ABOUT	    "\nx-ms-version: 2020-07-15\nAccept: application/json"
#define COLL	    "https://a/dbs/d/colls/c"

static const struct deadline never = { 0 };

/* ---- time: nobody sleeps */

static int64_t now_ns = NS_PER_S, slept_ns;

static int64_t
fake_now(void)
{
	return now_ns;
}

static int64_t
fake_wall(void)
{
	return 0;
}

static void
fake_sleep(int64_t ns)
{
	now_ns += ns;
	slept_ns += ns;
}

static inline void
replace_clock(void)
{
	static const struct clock_ops ops = { fake_now, fake_wall, fake_sleep };

	clock_replace(&ops);
}

/* ---- a store, and what it hands out */

static inline struct docstore *
open_store(void)
{
	const struct cosmos_config cfg = { "https://a/", "acct", "d", "c" };
	struct docstore *s = NULL;
	struct err e = { 0 };

	if (cosmos_store_open_take(&cfg, NULL, NULL, &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

struct lines {
	char text[4096];
	const char *refuse; /* the text that is not taken */
};

static int
add_text(void *arg, struct span text, struct err *e)
{
	struct lines *l = arg;
	const size_t at = strlen(l->text);

	if (l->refuse != NULL && text.n == strlen(l->refuse) &&
	    memcmp(text.p, l->refuse, text.n) == 0)
		return err_set(e, EDOM, "refused");
	(void)snprintf(l->text + at, sizeof(l->text) - at, "%.*s\n", (int)text.n,
		       (const char *)text.p);
	return 0;
}

static inline struct docstore_sink
lines_sink(struct lines *l)
{
	l->text[0] = '\0';
	return (struct docstore_sink){ add_text, l };
}

static inline void
assert_asked(unsigned i, const char *wanted)
{
	assert_true(i < asked_n);
	assert_string_equal(asked[i], wanted);
}

static inline void
assert_asked_with(unsigned i, const char *part)
{
	assert_true(i < asked_n);
	if (strstr(asked[i], part) == NULL)
		fail_msg("no '%s' in request %u:\n%s", part, i, asked[i]);
}

static inline void
assert_asked_without(unsigned i, const char *part)
{
	assert_true(i < asked_n);
	if (strstr(asked[i], part) != NULL)
		fail_msg("'%s' in request %u:\n%s", part, i, asked[i]);
}

#endif

/* SPDX-License-Identifier: MIT */
/* Whether what the service holds is what was sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "backend/store/cosmossame.h"
#include "base/num.h"

#define SYSTEM \
	",\"_rid\":\"r\",\"_self\":\"s\",\"_etag\":\"\\\"e\\\"\",\"_attachments\":\"a\",\"_ts\":1"

static void
test_the_same_however_it_is_printed(void **state)
{
	static const struct {
		const char *sent, *stored;
	} rows[] = {
		{ "{\"id\":\"1\"}", "{\"id\":\"1\"}" },
		{ "{\"id\":\"1\"}", "{\"id\":\"1\"" SYSTEM "}" },
		{ "{\"id\":\"1\"}", "{\"_rid\":\"r\", \"id\" : \"1\", \"_ts\":{\"a\":[1]}}\r\n" },
		{ "{\"a\":1.0,\"b\":[1e2,-0.5,0.10]}",
		  "{\"a\":1,\"b\":[100,-5e-1,0.1]" SYSTEM "}" },
		{ "{\"\\u0061\":\"\\u00e9\\/\"}", "{\"a\":\"\303\251/\"}" },
		{ "{\"a\":\"\303\251/\"}", "{\"a\":\"\\u00E9\\u002f\"}" },
		{ "{\"a\":{\"_ts\":1,\"b\":null},\"c\":[true,false]}",
		  "{\"a\":{\"_ts\":1,\"b\":null},\"c\":[true,false],\"\\u005fts\":5}" },
		{ "{\"a\":1e999}", "{\"a\":1e999}" },
		{ "{}", "{}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!cosmossame(span_str(rows[i].sent), span_str(rows[i].stored)))
			fail_msg("%s\n%s", rows[i].sent, rows[i].stored);
}

static void
test_what_differs_is_another(void **state)
{
	static const char sent[] =
		"{\"id\":\"1\",\"n\":1,\"o\":{\"_ts\":1,\"s\":\"x\"},\"l\":[1,2]}";
	static const char *const stored[] = {
		"",
		"{",
		"[]",
		"{\"id\":\"1\",\"n\":1,\"o\":{\"_ts\":1,\"s\":\"x\"},\"l\":[1,2]} x",
		"{\"id\":\"2\",\"n\":1,\"o\":{\"_ts\":1,\"s\":\"x\"},\"l\":[1,2]}",
		"{\"ID\":\"1\",\"n\":1,\"o\":{\"_ts\":1,\"s\":\"x\"},\"l\":[1,2]}",
		"{\"id\":\"1\",\"n\":1.5,\"o\":{\"_ts\":1,\"s\":\"x\"},\"l\":[1,2]}",
		"{\"id\":\"1\",\"n\":\"1\",\"o\":{\"_ts\":1,\"s\":\"x\"},\"l\":[1,2]}",
		"{\"id\":\"1\",\"n\":true,\"o\":{\"_ts\":1,\"s\":\"x\"},\"l\":[1,2]}",
		"{\"id\":\"1\",\"n\":1,\"o\":{\"s\":\"x\"},\"l\":[1,2]}",
		"{\"id\":\"1\",\"n\":1,\"o\":{\"_ts\":2,\"s\":\"x\"},\"l\":[1,2]}",
		"{\"id\":\"1\",\"n\":1,\"o\":{\"_ts\":1,\"s\":\"xy\"},\"l\":[1,2]}",
		"{\"id\":\"1\",\"n\":1,\"o\":{\"_ts\":1,\"s\":\"\\u0079\"},\"l\":[1,2]}",
		"{\"id\":\"1\",\"n\":1,\"o\":{\"_ts\":1,\"s\":\"x\"},\"l\":[1,2,3]}",
		"{\"id\":\"1\",\"n\":1,\"o\":{\"_ts\":1,\"s\":\"x\"},\"l\":[1]}",
		"{\"id\":\"1\",\"n\":1,\"o\":{\"_ts\":1,\"s\":\"x\"},\"l\":[2,1]}",
		"{\"id\":\"1\",\"n\":1,\"o\":{\"_ts\":1,\"s\":\"x\"},\"l\":[1,2],\"m\":1}",
		"{\"id\":\"1\",\"o\":{\"_ts\":1,\"s\":\"x\"},\"l\":[1,2]}",
		"{\"id\":\"1\",\"n\":1,\"l\":[1,2],\"o\":{\"_ts\":1,\"s\":\"x\"}}",
	};

	(void)state;
	assert_true(cosmossame(span_str(sent), span_str(sent)));
	for (size_t i = 0; i < ARRAY_LEN(stored); i++)
		if (cosmossame(span_str(sent), span_str(stored[i])))
			fail_msg("%s", stored[i]);
}

/* Beyond what a double holds only the same digits are the same. */
static void
test_numbers_without_a_value(void **state)
{
	(void)state;
	assert_false(cosmossame(span_str("{\"a\":1e999}"), span_str("{\"a\":1e998}")));
	assert_false(cosmossame(span_str("{\"a\":1e999}"), span_str("{\"a\":0}")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_same_however_it_is_printed),
		cmocka_unit_test(test_what_differs_is_another),
		cmocka_unit_test(test_numbers_without_a_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Target: jsonscan (base/jsonscan.c, jsonnames.c, jsontext.c) against jansson: both take the same
 * texts, but for what jansson cannot hold, and find the same in them.  Properties besides: tokens
 * lie in the text and in order, skipping and reading agree, what was unescaped and quoted again
 * stands for the same bytes.
 */
#include <stdint.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/jsonscan.h"
#include "base/number.h"

enum { TEXT_MAX = 1 << 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
need(bool good)
{
	if (!good)
		abort();
}

/* What both give for a string: jansson's bytes, and ours. */
static void
check_string(const struct jsonscan *s, const char *want, size_t n)
{
	struct err e = { 0 };
	AUTO_BUF bytes;

	buf_init(&bytes, TEXT_MAX);
	need(jsonscan_unescape(s->token, &bytes, &e) == 0);
	need(bytes.n == n && (n == 0 || memcmp(bytes.p, want, n) == 0));
	need(jsonscan_is(s->token, s->escaped, span_of(want, n)));
	need(!jsonscan_is(s->token, s->escaped, span_of(want, n + 1)));
}

/* Quoted again, in either way, a string stands for the same bytes. */
static void
check_quoting(const struct jsonscan *s)
{
	struct err e = { 0 };
	AUTO_BUF bytes, text, ascii;
	struct jsonscan again;

	buf_init(&bytes, TEXT_MAX);
	buf_init(&text, 6 * (TEXT_MAX + 1));
	buf_init(&ascii, 6 * (TEXT_MAX + 1));
	need(jsonscan_unescape(s->token, &bytes, &e) == 0);
	need(jsonscan_quote_ascii(buf_span(&bytes), &ascii, &e) == 0);
	jsonscan_init(&again, buf_span(&ascii), 1, NULL);
	need(jsonscan_next(&again) == JSONSCAN_STRING);
	need(jsonscan_is(again.token, again.escaped, buf_span(&bytes)));
	need(jsonscan_next(&again) == JSONSCAN_END);
	for (size_t i = 0; i < ascii.n; i++)
		need(ascii.p[i] >= 0x20 && ascii.p[i] < 0x7f);
	need(jsonscan_quote(buf_span(&bytes), &text, &e) == 0);
	jsonscan_init(&again, buf_span(&text), 1, NULL);
	/* Bytes of lone surrogates are no UTF-8. */
	if (jsonscan_next(&again) == JSONSCAN_STRING)
		need(jsonscan_is(again.token, again.escaped, buf_span(&bytes)));
	else
		need(s->escaped);
}

/* Every token in its place; the last one. */
static enum jsonscan_token
check_tokens(struct span text, struct jsonnames *names, const char **why)
{
	struct jsonscan s;
	enum jsonscan_token t;
	size_t end = 0;

	jsonscan_init(&s, text, JSONSCAN_DEPTH_MAX, names);
	do {
		t = jsonscan_next(&s);
		need(s.at <= s.end && s.end <= text.n);
		if (t == JSONSCAN_BAD)
			break;
		need(s.at >= end && s.depth <= JSONSCAN_DEPTH_MAX);
		end = s.end;
		if (t == JSONSCAN_STRING || t == JSONSCAN_NAME)
			check_quoting(&s);
	} while (t != JSONSCAN_END);
	*why = s.why;
	return t;
}

static void
check_skip(struct span text, struct jsonnames *names, enum jsonscan_token want)
{
	struct jsonscan s;
	bool good;

	jsonscan_init(&s, text, JSONSCAN_DEPTH_MAX, names);
	good = jsonscan_next(&s) != JSONSCAN_BAD && jsonscan_skip(&s) &&
	       jsonscan_next(&s) == JSONSCAN_END;
	need(good == (want == JSONSCAN_END));
}

static void check_value(struct jsonscan *s, enum jsonscan_token t, const json_t *j);

static void
check_object(struct jsonscan *s, const json_t *j)
{
	size_t n = 0;

	for (; jsonscan_next(s) == JSONSCAN_NAME; n++) {
		const json_t *member;
		struct err e = { 0 };
		AUTO_BUF name;

		buf_init(&name, TEXT_MAX);
		need(jsonscan_unescape(s->token, &name, &e) == 0);
		member = json_object_get(j, buf_str(&name));
		need(member != NULL);
		check_value(s, jsonscan_next(s), member);
	}
	need(n == json_object_size(j));
}

static void
check_array(struct jsonscan *s, const json_t *j)
{
	enum jsonscan_token t = jsonscan_next(s);
	size_t n = 0;

	for (; t != JSONSCAN_ARRAY_END; t = jsonscan_next(s), n++) {
		need(n < json_array_size(j));
		check_value(s, t, json_array_get(j, n));
	}
	need(n == json_array_size(j));
}

static void
check_value(struct jsonscan *s, enum jsonscan_token t, const json_t *j)
{
	double real;
	long long integer;

	switch (json_typeof(j)) {
	case JSON_OBJECT:
		need(t == JSONSCAN_OBJECT);
		check_object(s, j);
		break;
	case JSON_ARRAY:
		need(t == JSONSCAN_ARRAY);
		check_array(s, j);
		break;
	case JSON_STRING:
		need(t == JSONSCAN_STRING);
		check_string(s, json_string_value(j), json_string_length(j));
		break;
	case JSON_INTEGER:
		need(t == JSONSCAN_NUMBER && number_parse_long(s->token, &integer));
		need(integer == json_integer_value(j));
		break;
	case JSON_REAL:
		need(t == JSONSCAN_NUMBER && number_parse(s->token, &real));
		need(real == json_real_value(j));
		break;
	case JSON_TRUE:
		need(t == JSONSCAN_TRUE);
		break;
	case JSON_FALSE:
		need(t == JSONSCAN_FALSE);
		break;
	case JSON_NULL:
		need(t == JSONSCAN_NULL);
	}
}

/* Numbers of any size, half of a surrogate pair, NUL in a name. */
static bool
is_beyond_jansson(const json_error_t *error)
{
	const enum json_error_code code = json_error_code(error);

	return code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
	       strstr(error->text, "invalid Unicode") != NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct span text = span_of(data, n);
	struct jsonnames *names = NULL;
	struct err e = { 0 };
	struct jsonscan s;
	enum jsonscan_token t;
	json_error_t error;
	const char *why = NULL;
	json_t *j;

	need(jsonnames_new(7, &names, &e) == 0);
	t = check_tokens(text, names, &why);
	check_skip(text, names, t);
	jsonnames_free(names);
	/* To jansson a NUL byte between tokens is the end of the text. */
	if (n > 0 && memchr(data, 0, n) != NULL)
		return 0;
	j = json_loadb((const char *)data, n,
		       JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
	if (j == NULL)
		need(t == JSONSCAN_BAD || is_beyond_jansson(&error));
	else if (t == JSONSCAN_BAD)
		need(strcmp(why, "too deep") == 0);
	else {
		jsonscan_init(&s, text, JSONSCAN_DEPTH_MAX, NULL);
		check_value(&s, jsonscan_next(&s), j);
	}
	json_decref(j);
	return 0;
}

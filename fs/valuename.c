/* SPDX-License-Identifier: MIT */
/* Names of values, documents and ranges: see valuename.h. */
#include "fs/valuename.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "backend/store/docstore.h"
#include "base/number.h"
#include "base/utf8.h"

static const char SEALED[] = "=sealed:", CLEAR[] = "=clear:", RANGE_SUFFIX[] = ".jsonl";

static const struct {
	const char *name;
	enum docvalue_kind kind;
} words[] = {
	{ "=true", DOCVALUE_TRUE },
	{ "=false", DOCVALUE_FALSE },
	{ "=null", DOCVALUE_NULL },
	{ "=undefined", DOCVALUE_ABSENT },
};

static int
add_double(double real, bool sealed, struct buf *out, struct err *e)
{
	char text[NUMBER_TEXT_MAX];

	if (sealed)
		(void)number_print(real, text);
	else
		(void)number_print_js(real, text);
	return buf_addf(out, e, "=%s", text);
}

int
valuename_of(const struct docvalue *v, bool sealed, const char *suffix, struct buf *out,
	     struct err *e)
{
	int r = 0;

	if (v->kind == DOCVALUE_STRING)
		return names_escape_value("", v->text, suffix, out, e);
	if (v->kind == DOCVALUE_STORED)
		return names_escape_value(SEALED, v->text, suffix, out, e);
	if (v->kind == DOCVALUE_CLEAR)
		return names_escape_value(CLEAR, v->text, suffix, out, e);
	buf_reset(out);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (words[i].kind == v->kind)
			r = buf_add_str(out, words[i].name, e);
	if (v->kind == DOCVALUE_LONG)
		r = buf_addf(out, e, "=%" PRId64, v->integer);
	if (v->kind == DOCVALUE_DOUBLE)
		r = add_double(v->real, sealed, out, e);
	return r == 0 ? buf_add_str(out, suffix, e) : r;
}

/* Only the spelling that valuename_of gives is a name. */
static int
is_canonical(const char *name, bool sealed, const char *suffix, const struct docvalue *v,
	     enum names_kind *kind, struct err *e)
{
	AUTO_BUF again;
	int r;

	buf_init(&again, NAMES_FILE_MAX);
	r = valuename_of(v, sealed, suffix, &again, e);
	if (r == 0 && strcmp(buf_str(&again), name) == 0)
		*kind = NAMES_PLAIN;
	return r;
}

static bool
take_word(struct span text, bool sealed, struct docvalue *v)
{
	const struct span number = span_of(text.p + 1, text.n - 1);
	long long integer;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (text.n == strlen(words[i].name) && memcmp(text.p, words[i].name, text.n) == 0) {
			v->kind = words[i].kind;
			return true;
		}
	if (sealed && number_parse_long(number, &integer)) {
		v->kind = DOCVALUE_LONG;
		v->integer = integer;
		return true;
	}
	v->kind = DOCVALUE_DOUBLE;
	return number_parse(number, &v->real);
}

/* 'h' or 'l': the surrogate that three bytes at the front of s would be; 0: none. */
static char
surrogate(struct span s)
{
	if (s.n < 3 || s.p[0] != 0xed || s.p[1] < 0xa0 || s.p[1] > 0xbf || (s.p[2] & 0xc0) != 0x80)
		return 0;
	return s.p[1] < 0xb0 ? 'h' : 'l';
}

/* Whether JSON can hold it: UTF-8, and surrogates that are not a pair. */
static bool
is_json_text(struct span s)
{
	bool high = false;

	while (s.n > 0) {
		const char kind = surrogate(s);
		const size_t n = kind != 0 ? 3 : utf8_char_len(s);

		if (n == 0 || (high && kind == 'l'))
			return false;
		high = kind == 'h';
		s = span_of(s.p + n, s.n - n);
	}
	return true;
}

int
valuename_parse(const char *name, bool sealed, const char *suffix, enum names_kind *kind,
		struct docvalue *out, struct buf *bytes, struct err *e)
{
	const bool stored = sealed && strncmp(name, SEALED, strlen(SEALED)) == 0;
	const bool clear = sealed && strncmp(name, CLEAR, strlen(CLEAR)) == 0;
	const size_t n = strlen(name), n_suffix = strlen(suffix);
	struct docvalue v = { .kind = stored  ? DOCVALUE_STORED
				      : clear ? DOCVALUE_CLEAR
					      : DOCVALUE_STRING };
	int r;

	r = names_unescape_value(name,
				 stored	 ? SEALED
				 : clear ? CLEAR
					 : "",
				 suffix, kind, bytes, e);
	if (r < 0 || *kind == NAMES_ALIAS)
		return r;
	if (*kind == NAMES_PLAIN) {
		v.text = buf_span(bytes);
		if (is_json_text(v.text))
			*out = v;
		else
			*kind = NAMES_NOTHING;
		return 0;
	}
	if (name[0] != '=' || stored || clear || n <= n_suffix + 1 || n > NAMES_FILE_MAX ||
	    strcmp(name + n - n_suffix, suffix) != 0 ||
	    !take_word(span_of(name, n - n_suffix), sealed, &v))
		return 0;
	r = is_canonical(name, sealed, suffix, &v, kind, e);
	if (r == 0 && *kind == NAMES_PLAIN)
		*out = v;
	return r;
}

/* ---- ranges ---- */

int
valuename_of_range(const char *min, const char *max, struct buf *out, struct err *e)
{
	buf_reset(out);
	return buf_addf(out, e, "%s-%s%s", min[0] != '\0' ? min : "0", max, RANGE_SUFFIX);
}

/* Upper-case hexadecimal, whole bytes; "0" stands for the empty bound. */
static bool
take_bound(const char *text, size_t n, char *out)
{
	if (n == 1 && text[0] == '0') {
		out[0] = '\0';
		return true;
	}
	if (n == 0 || n % 2 != 0 || n > DOCSTORE_EPK_MAX || strspn(text, "0123456789ABCDEF") < n)
		return false;
	memcpy(out, text, n);
	out[n] = '\0';
	return true;
}

bool
valuename_range(const char *name, char *min, char *max)
{
	const char *dash = strchr(name, '-'), *end = strstr(name, RANGE_SUFFIX);

	return dash != NULL && end != NULL && dash < end && strcmp(end, RANGE_SUFFIX) == 0 &&
	       take_bound(name, (size_t)(dash - name), min) &&
	       take_bound(dash + 1, (size_t)(end - dash - 1), max) && strcmp(min, max) < 0 &&
	       strcmp(max, "FF") <= 0;
}

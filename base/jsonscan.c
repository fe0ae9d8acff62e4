/* SPDX-License-Identifier: MIT */
/*
 * JSON, token by token: see jsonscan.h.
 *
 *   state         what may come next          becomes
 *   VALUE         a value                     AFTER; FIRST_VALUE or FIRST_NAME after '[' or '{'
 *   FIRST_VALUE   a value or ']'              the same; AFTER
 *   FIRST_NAME    a name or '}'               COLON; AFTER
 *   COLON         ':' and a value             as VALUE
 *   AFTER         ',' and a value or name,    as VALUE; COLON; AFTER
 *                 ']' or '}', or the end
 *   BAD           nothing                     BAD
 *
 * Source: RFC 8259, section 2.
 */
#include "base/jsonscan.h"

#include <assert.h>

#include "base/jsonnames.h"
#include "base/jsonrun.h"
#include "base/number.h"
#include "base/utf8.h"

enum { VALUE, FIRST_VALUE, FIRST_NAME, COLON, AFTER, BAD };

static enum jsonscan_token
bad_at(struct jsonscan *s, size_t at, const char *why)
{
	s->state = BAD;
	s->at = s->end = at;
	s->token = span_of(s->text, 0);
	s->why = why;
	return JSONSCAN_BAD;
}

void
jsonscan_init(struct jsonscan *s, struct span text, unsigned depth_max, struct jsonnames *names)
{
	assert(depth_max >= 1 && depth_max <= JSONSCAN_DEPTH_MAX);
	*s = (struct jsonscan){
		.text = text.p, .n = text.n, .state = VALUE, .depth_max = depth_max, .names = names
	};
	if (names != NULL)
		jsonnames_reset(names);
}

static inline void
skip_blanks(struct jsonscan *s)
{
	while (s->pos < s->n) {
		const uint8_t c = s->text[s->pos];

		if (c > ' ' || (c != ' ' && c != '\n' && c != '\r' && c != '\t'))
			return;
		s->pos++;
	}
}

/* ---- strings ---- */

static inline bool
is_hex(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* How many bytes at `at`, where a backslash stands, are an escape; 0: they are none. */
static size_t
escape_len(const struct jsonscan *s, size_t at)
{
	if (s->n - at < 2)
		return 0;
	if (s->text[at + 1] != 'u')
		return s->text[at + 1] != '\0' && strchr("\"\\/bfnrt", s->text[at + 1]) != NULL ? 2
												: 0;
	if (s->n - at < 6)
		return 0;
	for (size_t i = 2; i < 6; i++)
		if (!is_hex(s->text[at + i]))
			return 0;
	return 6;
}

/* From the quote at pos; token is what stands between it and the next. */
static enum jsonscan_token
string(struct jsonscan *s, enum jsonscan_token t)
{
	const uint8_t *p = s->text;
	size_t at = s->pos + 1, len;

	s->escaped = false;
	for (;;) {
		at += jsonrun_len(p + at, s->n - at, true);
		if (at == s->n)
			return bad_at(s, at, "a string does not end");
		if (p[at] == '"')
			break;
		if (p[at] == '\\') {
			len = escape_len(s, at);
			if (len == 0)
				return bad_at(s, at, "an escape is none");
			s->escaped = true;
		} else {
			len = p[at] < 0x20 ? 0 : utf8_char_len(span_of(p + at, s->n - at));
			if (len == 0)
				return bad_at(s, at,
					      p[at] < 0x20 ? "a control character in a string"
							   : "a string is not UTF-8");
		}
		at += len;
	}
	s->token = span_of(p + s->pos + 1, at - s->pos - 1);
	s->end = s->pos = at + 1;
	return t;
}

static enum jsonscan_token
name(struct jsonscan *s)
{
	if (s->pos == s->n || s->text[s->pos] != '"')
		return bad_at(s, s->pos, "a name is missing");
	s->at = s->pos;
	if (string(s, JSONSCAN_NAME) == JSONSCAN_BAD)
		return JSONSCAN_BAD;
	if (s->names != NULL) {
		const enum jsonnames_answer a = jsonnames_add(s->names, s->depth, s->token,
							      s->escaped);

		s->no_memory = a == JSONNAMES_NO_MEMORY;
		if (a != JSONNAMES_NEW)
			return bad_at(s, s->at,
				      s->no_memory ? "out of memory" : "a member is there twice");
	}
	s->state = COLON;
	return JSONSCAN_NAME;
}

/* ---- other values ---- */

static enum jsonscan_token
word(struct jsonscan *s, const char *text, size_t n, enum jsonscan_token t)
{
	if (s->n - s->pos < n || memcmp(s->text + s->pos, text, n) != 0)
		return bad_at(s, s->pos, "a value is none");
	s->token = span_of(s->text + s->pos, n);
	s->end = s->pos += n;
	return t;
}

static enum jsonscan_token
number(struct jsonscan *s)
{
	const uint8_t c = s->text[s->pos];
	const size_t n = number_len(span_of(s->text + s->pos, s->n - s->pos));

	if (n == 0)
		return bad_at(s, s->pos,
			      c == '-' || (c >= '0' && c <= '9') ? "a number is none"
								 : "a value is none");
	s->token = span_of(s->text + s->pos, n);
	s->end = s->pos += n;
	return JSONSCAN_NUMBER;
}

/* One byte that is a token. */
static enum jsonscan_token
mark(struct jsonscan *s, enum jsonscan_token t)
{
	s->token = span_of(s->text + s->pos, 1);
	s->end = ++s->pos;
	return t;
}

static enum jsonscan_token
open_container(struct jsonscan *s, enum jsonscan_token t)
{
	if (s->depth == s->depth_max)
		return bad_at(s, s->pos, "too deep");
	s->in_object = (s->in_object & ~(UINT64_C(1) << s->depth)) |
		       (uint64_t)(t == JSONSCAN_OBJECT) << s->depth;
	s->depth++;
	s->state = t == JSONSCAN_OBJECT ? FIRST_NAME : FIRST_VALUE;
	if (t == JSONSCAN_OBJECT && s->names != NULL)
		jsonnames_open(s->names, s->depth);
	return mark(s, t);
}

static enum jsonscan_token
close_container(struct jsonscan *s, bool object)
{
	if (object && s->names != NULL)
		jsonnames_close(s->names, s->depth);
	s->at = s->pos;
	s->depth--;
	s->state = AFTER;
	return mark(s, object ? JSONSCAN_OBJECT_END : JSONSCAN_ARRAY_END);
}

static enum jsonscan_token
value(struct jsonscan *s)
{
	if (s->pos == s->n)
		return bad_at(s, s->pos, "a value is missing");
	s->at = s->pos;
	s->state = AFTER;
	switch (s->text[s->pos]) {
	case '"':
		return string(s, JSONSCAN_STRING);
	case '{':
		return open_container(s, JSONSCAN_OBJECT);
	case '[':
		return open_container(s, JSONSCAN_ARRAY);
	case 't':
		return word(s, "true", 4, JSONSCAN_TRUE);
	case 'f':
		return word(s, "false", 5, JSONSCAN_FALSE);
	case 'n':
		return word(s, "null", 4, JSONSCAN_NULL);
	default:
		return number(s);
	}
}

/* ---- between values ---- */

static bool
in_object(const struct jsonscan *s)
{
	return (s->in_object >> (s->depth - 1) & 1) != 0;
}

static enum jsonscan_token
after(struct jsonscan *s)
{
	const uint8_t c = s->pos < s->n ? s->text[s->pos] : 0;
	bool object;

	if (s->depth == 0) {
		if (s->pos < s->n)
			return bad_at(s, s->pos, "text after the value");
		s->at = s->end = s->pos;
		s->token = span_of(s->text, 0);
		return JSONSCAN_END;
	}
	object = in_object(s);
	if (c == (object ? '}' : ']'))
		return close_container(s, object);
	if (c != ',')
		return bad_at(s, s->pos, "a comma or an end is missing");
	s->pos++;
	skip_blanks(s);
	return object ? name(s) : value(s);
}

enum jsonscan_token
jsonscan_next(struct jsonscan *s)
{
	if (s->state == BAD)
		return JSONSCAN_BAD;
	skip_blanks(s);
	switch (s->state) {
	case VALUE:
		return value(s);
	case FIRST_VALUE:
		if (s->pos < s->n && s->text[s->pos] == ']')
			return close_container(s, false);
		return value(s);
	case FIRST_NAME:
		if (s->pos < s->n && s->text[s->pos] == '}')
			return close_container(s, true);
		return name(s);
	case COLON:
		if (s->pos == s->n || s->text[s->pos] != ':')
			return bad_at(s, s->pos, "a colon is missing");
		s->pos++;
		skip_blanks(s);
		return value(s);
	default:
		return after(s);
	}
}

bool
jsonscan_skip(struct jsonscan *s)
{
	unsigned depth;

	if (s->state == COLON && jsonscan_next(s) == JSONSCAN_BAD)
		return false;
	if (s->state != FIRST_NAME && s->state != FIRST_VALUE)
		return s->state != BAD;
	for (depth = s->depth - 1; s->depth > depth;)
		if (jsonscan_next(s) == JSONSCAN_BAD)
			return false;
	return true;
}

/* From the quote at pos to behind the next that no backslash precedes. */
static bool
jump_string(struct jsonscan *s)
{
	for (s->pos++; s->pos < s->n; s->pos++) {
		s->pos += jsonrun_len(s->text + s->pos, s->n - s->pos, false);
		if (s->pos < s->n && s->text[s->pos] == '"') {
			s->pos++;
			return true;
		}
		if (s->pos < s->n && s->text[s->pos] == '\\')
			s->pos++;
	}
	s->pos = s->n;
	return false;
}

bool
jsonscan_jump(struct jsonscan *s)
{
	const size_t from = s->pos - 1;
	size_t open = 1;

	assert(s->state == FIRST_NAME || s->state == FIRST_VALUE);
	while (s->pos < s->n) {
		const uint8_t c = s->text[s->pos];

		if (c == '"') {
			if (!jump_string(s))
				break;
			continue;
		}
		open += c == '{' || c == '[';
		open -= c == '}' || c == ']';
		if (open == 0 && c == (in_object(s) ? '}' : ']')) {
			(void)close_container(s, in_object(s));
			return true;
		}
		if (open == 0)
			break;
		s->pos++;
	}
	(void)bad_at(s, from, "a value does not end");
	return false;
}

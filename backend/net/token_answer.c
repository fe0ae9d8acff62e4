/* SPDX-License-Identifier: MIT */
/*
 * What token endpoints answer, right or wrong: see credential.h.  Source: docs/FORMATS.md, "Entra
 * tokens".
 */
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "backend/net/credential.h"
#include "base/num.h"

/* Ten years: longer lifetimes are nonsense, and would overflow nanoseconds later. */
static const uint64_t longest_s = UINT64_C(10) * 366 * 86400;

static void
json_freep(json_t **j)
{
	json_decref(*j);
}

static json_t *
load_object(struct span text)
{
	json_t *j = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, NULL);

	if (j != NULL && !json_is_object(j)) {
		json_decref(j);
		return NULL;
	}
	return j;
}

/* A whole number of seconds, which some endpoints write as a string. */
static bool
seconds(const json_t *object, const char *name, uint64_t *out)
{
	const json_t *j = json_object_get(object, name);

	if (json_is_string(j))
		return u64_parse_str(json_string_value(j), out);
	if (!json_is_integer(j) || json_integer_value(j) < 0)
		return false;
	*out = (uint64_t)json_integer_value(j);
	return true;
}

int
token_answer_take(const char *who, const char *token, struct secret_text **out, struct err *e)
{
	size_t n = strlen(token);

	if (n == 0 || n > TOKEN_TEXT_MAX) {
		(void)err_set(e, EACCES, "%s: the token has %zu bytes", who, n);
		return err_mark(e, "auth.entra", NULL);
	}
	for (size_t i = 0; i < n; i++)
		if (token[i] <= ' ' || token[i] > '~') {
			(void)err_set(e, EACCES, "%s: the token holds characters that no token has",
				      who);
			return err_mark(e, "auth.entra", NULL);
		}
	return secret_text_new(span_of(token, n), out, e);
}

static bool
lifetime(const json_t *object, struct token_answer *out)
{
	uint64_t in, on, now = (uint64_t)clock_wall_s();

	if (!seconds(object, "expires_in", &in)) {
		if (!seconds(object, "expires_on", &on))
			return false;
		in = on > now ? on - now : 0;
	}
	if (in == 0)
		return false;
	out->lifetime_s = (int64_t)u64_min(in, longest_s);
	if (seconds(object, "refresh_in", &in) && in > 0 && in < (uint64_t)out->lifetime_s)
		out->refresh_s = (int64_t)in;
	return true;
}

static int
not_a_token(const char *who, const char *what, struct err *e)
{
	(void)err_set(e, EACCES, "%s: the answer %s", who, what);
	return err_mark(e, "auth.entra", NULL);
}

int
token_answer_parse(const char *who, struct span text, struct token_answer *out, struct err *e)
{
	json_t *CLEANUP(json_freep) j = load_object(text);
	const char *token = json_string_value(json_object_get(j, "access_token"));
	const char *type = json_string_value(json_object_get(j, "token_type"));
	struct token_answer a = { 0 };
	int r;

	if (j == NULL)
		return not_a_token(who, "is not JSON", e);
	if (token == NULL)
		return not_a_token(who, "holds no token", e);
	if (type != NULL && strcasecmp(type, "bearer") != 0)
		return not_a_token(who, "holds a token of a foreign type", e);
	if (!lifetime(j, &a))
		return not_a_token(who, "holds a token that has no lifetime left", e);
	r = token_answer_take(who, token, &a.token, e);
	if (r < 0)
		return r;
	*out = a;
	return 0;
}

uint64_t
token_answer_aadsts(const char *text)
{
	const char *at = strstr(text, "AADSTS");
	uint64_t code;
	size_t n;

	if (at == NULL)
		return 0;
	at += strlen("AADSTS");
	n = strspn(at, "0123456789");
	return n <= 9 && u64_parse(at, n, &code) ? code : 0;
}

/*
 * Only what such a value consists of: the text comes from a stranger, and what we sent could be
 * echoed in it.
 */
static void
copy_word(char *out, size_t n, const char *text)
{
	size_t i = 0;

	out[0] = '\0';
	if (text == NULL || strlen(text) >= n)
		return;
	for (; text[i] != '\0'; i++) {
		if (!isalnum((unsigned char)text[i]) && text[i] != '-' && text[i] != '_')
			break;
		out[i] = text[i];
	}
	out[text[i] == '\0' ? i : 0] = '\0';
}

void
token_refusal_parse(struct span text, struct token_refusal *out)
{
	json_t *CLEANUP(json_freep) j = load_object(text);
	const char *description = json_string_value(json_object_get(j, "error_description"));
	const json_t *codes = json_object_get(j, "error_codes");

	*out = (struct token_refusal){ 0 };
	copy_word(out->error, 40, json_string_value(json_object_get(j, "error")));
	copy_word(out->correlation, 40, json_string_value(json_object_get(j, "correlation_id")));
	if (json_is_integer(json_array_get(codes, 0)) &&
	    json_integer_value(json_array_get(codes, 0)) > 0)
		out->code = (uint64_t)json_integer_value(json_array_get(codes, 0));
	else if (description != NULL)
		out->code = token_answer_aadsts(description);
}

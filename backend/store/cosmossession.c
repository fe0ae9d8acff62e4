/* SPDX-License-Identifier: MIT */
/* Session tokens: see cosmossession.h. */
#include "backend/store/cosmossession.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/mutex.h"
#include "base/number.h"

enum { TOKENS_MAX = 1024, TOKEN_MAX = 255 };

struct token {
	char *scope;
	size_t n_range; /* bytes of text before its ':' */
	long long version, lsn;
	char text[TOKEN_MAX + 1];
};

struct cosmossession {
	pthread_mutex_t lock;
	size_t n, next; /* once all are taken, the next to give way */
	struct token *token[TOKENS_MAX];
};

static void
token_free(struct token *t)
{
	if (t != NULL)
		free(t->scope);
	free(t);
}

int
cosmossession_new(struct cosmossession **out, struct err *e)
{
	struct cosmossession *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return err_set(e, ENOMEM, "out of memory");
	(void)pthread_mutex_init(&s->lock, NULL);
	*out = s;
	return 0;
}

void
cosmossession_free(struct cosmossession *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n; i++)
		token_free(s->token[i]);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* ---- one token */

static bool
is_plain(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (isalnum((unsigned char)p[i]) == 0 && strchr(":#=-_", p[i]) == NULL)
			return false;
	return true;
}

/* "VERSION#LSN[#...]", or an LSN alone. */
static bool
take_numbers(struct token *t)
{
	const char *first = t->text + t->n_range + 1, *second = strchr(first, '#'), *end;

	if (second == NULL) {
		t->version = LLONG_MIN;
		return number_parse_long(span_str(first), &t->lsn);
	}
	end = strchrnul(second + 1, '#');
	return number_parse_long(span_of(first, (size_t)(second - first)), &t->version) &&
	       number_parse_long(span_of(second + 1, (size_t)(end - second - 1)), &t->lsn);
}

static bool
take_token(struct token *t, const char *text, size_t n)
{
	const char *colon = memchr(text, ':', n);

	if (n > TOKEN_MAX || colon == NULL || colon == text || !is_plain(text, n))
		return false;
	memcpy(t->text, text, n);
	t->text[n] = '\0';
	t->n_range = (size_t)(colon - text);
	return take_numbers(t);
}

static bool
is_newer(const struct token *a, const struct token *b)
{
	return a->version != b->version ? a->version > b->version : a->lsn > b->lsn;
}

/* ---- all of them */

static bool
is_of(const struct token *t, const char *scope, const char *range, size_t n_range)
{
	return strcmp(t->scope, scope) == 0 && t->n_range == n_range &&
	       memcmp(t->text, range, n_range) == 0;
}

/* Takes t. */
static void
keep_locked(struct cosmossession *s, struct token *t)
{
	for (size_t i = 0; i < s->n; i++) {
		struct token *old = s->token[i];

		if (!is_of(old, t->scope, t->text, t->n_range))
			continue;
		if (is_newer(t, old)) {
			s->token[i] = t;
			t = old;
		}
		token_free(t);
		return;
	}
	if (s->n < TOKENS_MAX) {
		s->token[s->n++] = t;
		return;
	}
	token_free(s->token[s->next]);
	s->token[s->next] = t;
	s->next = (s->next + 1) % TOKENS_MAX;
}

static void
note_one(struct cosmossession *s, const char *scope, const char *text, size_t n)
{
	struct token *t = calloc(1, sizeof(*t));

	if (t == NULL || !take_token(t, text, n) || (t->scope = strdup(scope)) == NULL) {
		token_free(t); /* reads are as good as without it */
		return;
	}
	mutex_lock(&s->lock);
	keep_locked(s, t);
	mutex_unlock(&s->lock);
}

void
cosmossession_note(struct cosmossession *s, const char *scope, const char *header)
{
	while (*header != '\0') {
		const size_t n = strcspn(header, ",");

		note_one(s, scope, header, n);
		header += n + (header[n] == ',');
	}
}

int
cosmossession_get(struct cosmossession *s, const char *scope, const char *range, struct buf *out,
		  struct err *e)
{
	int r = 0;

	buf_reset(out);
	mutex_lock(&s->lock);
	for (size_t i = 0; r == 0 && i < s->n; i++) {
		const struct token *t = s->token[i];

		if (range != NULL ? !is_of(t, scope, range, strlen(range))
				  : strcmp(t->scope, scope) != 0)
			continue;
		if (out->n + strlen(t->text) + 1 > COSMOSSESSION_TEXT_MAX) {
			buf_reset(out); /* no header holds so many */
			break;
		}
		r = buf_addf(out, e, "%s%s", out->n > 0 ? "," : "", t->text);
	}
	mutex_unlock(&s->lock);
	return r;
}

void
cosmossession_drop(struct cosmossession *s, const char *scope)
{
	size_t kept = 0;

	mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n; i++) {
		if (strcmp(s->token[i]->scope, scope) == 0)
			token_free(s->token[i]);
		else
			s->token[kept++] = s->token[i];
	}
	s->n = kept;
	s->next = 0;
	mutex_unlock(&s->lock);
}

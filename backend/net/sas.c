/* SPDX-License-Identifier: MIT */
/* Shared access signatures: see sharedkey.h.  Source: docs/FORMATS.md, "Blob authorization". */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/net/sharedkey.h"
#include "backend/net/url.h"
#include "base/mutex.h"

enum { SAS_MAX = 8192 };

struct sas {
	struct http_auth base;
	char *file;		   /* NULL: the token never changes */
	pthread_mutex_t lock;	   /* rank 7; guards what follows */
	struct secret_text *token; /* without '?' */
	struct stat read_from;	   /* what the file was then */
};

/* The change time tells what the others may not: renewed tokens are of one length, and whatever
 * copies files likes to keep their times. */
static bool
is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* A copy without the '?' in front, or another reference. */
static int
without_mark(struct secret_text *token, struct secret_text **out, struct err *e)
{
	const char *text = secret_text_borrow(token);

	if (text[0] == '?')
		return secret_text_new(span_str(text + 1), out, e);
	*out = secret_text_ref(token);
	return 0;
}

/* The token in use, when the file is still the one it was read from; NULL otherwise. */
static struct secret_text *
current(struct sas *s, const struct stat *st)
{
	struct secret_text *token = NULL;

	mutex_lock(&s->lock);
	if (s->token != NULL && is_same_file(st, &s->read_from))
		token = secret_text_ref(s->token);
	mutex_unlock(&s->lock);
	return token;
}

static void
remember(struct sas *s, struct secret_text *token, const struct stat *st)
{
	mutex_lock(&s->lock);
	secret_text_free(s->token);
	s->token = secret_text_ref(token);
	s->read_from = *st;
	mutex_unlock(&s->lock);
}

static int
read_file(struct sas *s, struct secret_text **out, struct err *e)
{
	AUTO_SECRET_TEXT raw = NULL;
	struct stat st;
	int r;

	if (stat(s->file, &st) != 0)
		return err_set(e, errno, "SAS file %s: %s", s->file, strerrordesc_np(errno));
	*out = current(s, &st);
	if (*out != NULL)
		return 0;
	r = secret_text_read_file(s->file, SAS_MAX, true, &raw, e);
	if (r == 0)
		r = without_mark(raw, out, e);
	if (r < 0)
		return err_in(e, "SAS file %s", s->file);
	remember(s, *out, &st);
	return 0;
}

static int
sas_apply(struct http_auth *a, struct http_attempt *at, struct deadline d, struct err *e)
{
	struct sas *s = (struct sas *)a;
	AUTO_SECRET_TEXT token = NULL;
	int r;

	(void)d;
	if (s->file == NULL)
		return http_attempt_secret_query(at, s->token, e);
	r = read_file(s, &token, e);
	return r < 0 ? r : http_attempt_secret_query(at, token, e);
}

static void
sas_free(struct http_auth *a)
{
	struct sas *s = (struct sas *)a;

	(void)pthread_mutex_destroy(&s->lock);
	secret_text_free(s->token);
	free(s->file);
	free(s);
}

static const struct http_auth_ops sas_ops = {
	.apply = sas_apply,
	.free = sas_free,
};

int
sas_auth_new(struct secret_text *token, const char *file, struct http_auth **out, struct err *e)
{
	struct sas *s = calloc(1, sizeof(*s));
	int r = 0;

	if (s == NULL)
		return err_set(e, ENOMEM, "out of memory");
	s->base.ops = &sas_ops;
	(void)pthread_mutex_init(&s->lock, NULL);
	if (file != NULL && (s->file = strdup(file)) == NULL)
		r = err_set(e, ENOMEM, "out of memory");
	if (r == 0 && token != NULL)
		r = without_mark(token, &s->token, e);
	if (r == 0 && token == NULL && file == NULL)
		r = err_set(e, EINVAL, "neither a SAS nor a file with one");
	if (r < 0) {
		sas_free(&s->base);
		return r;
	}
	*out = &s->base;
	return 0;
}

static bool
decode_field(const char *text, size_t text_n, char *out, size_t n)
{
	struct err ignored = { 0 };
	AUTO_BUF value;

	buf_init(&value, n > 0 ? n - 1 : 0);
	if (n == 0)
		return false;
	if (url_decode(&value, text, text_n, &ignored) < 0)
		return false;
	memcpy(out, buf_str(&value), value.n + 1);
	return true;
}

bool
sas_field(const struct secret_text *sas, const char *name, char *out, size_t n)
{
	const char *at = secret_text_borrow(sas);
	size_t name_n = strlen(name);

	if (strcmp(name, "sig") == 0)
		return false;
	if (*at == '?')
		at++;
	while (*at != '\0') {
		size_t field = strcspn(at, "&");

		if (field > name_n && at[name_n] == '=' && strncmp(at, name, name_n) == 0)
			return decode_field(at + name_n + 1, field - name_n - 1, out, n);
		at += field + (at[field] == '&');
	}
	return false;
}

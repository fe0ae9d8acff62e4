/* SPDX-License-Identifier: MIT */
/* Partition key paths: see partition.h. */
#include "crypto/partition.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Up to the next '/'.  Returns where the path goes on; *n is what was copied. */
static const char *
take_bare(const char *at, char *to, size_t *n)
{
	*n = strcspn(at, "/");
	memcpy(to, at, *n);
	return at + *n;
}

/* at: behind the quote.  NULL when the token does not end, or an escape is unknown. */
static const char *
take_quoted(const char *at, char quote, char *to, size_t *n)
{
	*n = 0;
	while (*at != quote) {
		if (*at == '\\' && (at[1] == '\0' || strchr("\"'\\/", at[1]) == NULL))
			return NULL;
		if (*at == '\\')
			at++;
		if (*at == '\0')
			return NULL;
		to[(*n)++] = *at++;
	}
	return at + 1;
}

/* at: the '/' before a token.  *e is filled where the result is NULL. */
static const char *
take_token(const char *at, struct partition_path *out, struct err *e)
{
	char *token;
	size_t n = 0;

	if (*at != '/' || out->n_tokens == CONTAINER_TOKENS_MAX) {
		(void)err_set(e, EBADMSG, "no \"/\" before a name, or too many names");
		return NULL;
	}
	at++;
	token = calloc(strlen(at) + 1, 1);
	if (token == NULL) {
		(void)err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	out->token[out->n_tokens++] = token;
	at = *at == '"' || *at == '\'' ? take_quoted(at + 1, *at, token, &n)
				       : take_bare(at, token, &n);
	if (at == NULL || n == 0) {
		(void)err_set(e, EBADMSG, "an empty name, or quotes that do not fit");
		return NULL;
	}
	return at;
}

int
partition_path_parse(const char *path, struct partition_path *out, struct err *e)
{
	out->policy = -1;
	do {
		path = take_token(path, out, e);
		if (path == NULL)
			return -e->no;
	} while (*path != '\0');
	return 0;
}

void
partition_path_clear(struct partition_path *p)
{
	for (size_t i = 0; i < p->n_tokens; i++)
		free(p->token[i]);
	*p = (struct partition_path){ .policy = -1 };
}

bool
partition_path_same(const struct partition_path *a, const struct partition_path *b)
{
	if (a->n_tokens != b->n_tokens)
		return false;
	for (size_t i = 0; i < a->n_tokens; i++)
		if (strcmp(a->token[i], b->token[i]) != 0)
			return false;
	return true;
}

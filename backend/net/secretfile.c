/* SPDX-License-Identifier: MIT */
/* A secret in a file that somebody renews: see secretfile.h. */
#include "backend/net/secretfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mutex.h"

enum { SECRETFILE_MAX = 8192 };

struct secretfile {
	char *path;
	const char *what;
	secretfile_take *take;
	pthread_mutex_t lock;	    /* rank 7; guards what follows */
	struct secret_text *secret; /* NULL: not read yet */
	struct stat read_from;	    /* what the file was then */
};

int
secretfile_new(const char *path, const char *what, secretfile_take *take, struct secretfile **out,
	       struct err *e)
{
	struct secretfile *f = calloc(1, sizeof(*f));

	if (f == NULL || (f->path = strdup(path)) == NULL) {
		free(f);
		return err_set(e, ENOMEM, "out of memory");
	}
	f->what = what;
	f->take = take;
	(void)pthread_mutex_init(&f->lock, NULL);
	*out = f;
	return 0;
}

void
secretfile_free(struct secretfile *f)
{
	if (f == NULL)
		return;
	(void)pthread_mutex_destroy(&f->lock);
	secret_text_free(f->secret);
	free(f->path);
	free(f);
}

/* The change time tells what the others may not: renewed secrets are of one length, and whatever
 * copies files likes to keep their times. */
static bool
is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* The secret in use, when the file is still the one it was read from; NULL otherwise. */
static struct secret_text *
current(struct secretfile *f, const struct stat *st)
{
	struct secret_text *secret = NULL;

	mutex_lock(&f->lock);
	if (f->secret != NULL && is_same_file(st, &f->read_from))
		secret = secret_text_ref(f->secret);
	mutex_unlock(&f->lock);
	return secret;
}

static void
remember(struct secretfile *f, struct secret_text *secret, const struct stat *st)
{
	mutex_lock(&f->lock);
	secret_text_free(f->secret);
	f->secret = secret_text_ref(secret);
	f->read_from = *st;
	mutex_unlock(&f->lock);
}

int
secretfile_get(struct secretfile *f, struct secret_text **out, struct err *e)
{
	AUTO_SECRET_TEXT raw = NULL;
	struct secret_text *secret;
	struct stat st;
	int r;

	if (stat(f->path, &st) != 0)
		return err_set(e, errno, "%s %s: %s", f->what, f->path, strerrordesc_np(errno));
	secret = current(f, &st);
	if (secret == NULL) {
		r = secret_text_read_file(f->path, SECRETFILE_MAX, true, &raw, e);
		if (r == 0)
			r = f->take(raw, &secret, e);
		if (r < 0)
			return err_in(e, "%s %s", f->what, f->path);
		remember(f, secret, &st);
	}
	*out = secret;
	return 0;
}

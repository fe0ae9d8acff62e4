/* SPDX-License-Identifier: MIT */
/*
 * Secrets in memory: see secret.h.
 *
 * The arena is a list of chunks, each locked and kept out of core dumps; blocks are
 * cut from it in units of 64 bytes and tracked in a bitmap, so that the bookkeeping never mixes
 * with key bytes.
 */
#include "base/secret.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mutex.h"

enum { UNIT = 64, CHUNK_BYTES = 256 << 10, CHUNK_UNITS = CHUNK_BYTES / UNIT };

struct chunk {
	struct chunk *next;
	uint8_t *bytes;
	size_t first_maybe_free;       /* no unit below this one is free */
	uint8_t used[CHUNK_UNITS / 8]; /* a bit for each unit */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct chunk *chunks; /* guarded by lock */
static atomic_bool all_locked = true;

static bool
unit_used(const struct chunk *c, size_t i)
{
	return (c->used[i / 8] >> (i % 8) & 1) != 0;
}

static void
mark(struct chunk *c, size_t first, size_t n, bool used)
{
	for (size_t i = first; i < first + n; i++)
		if (used)
			c->used[i / 8] |= (uint8_t)(1U << (i % 8));
		else
			c->used[i / 8] &= (uint8_t) ~(1U << (i % 8));
}

static struct chunk *
chunk_new(void)
{
	struct chunk *c = calloc(1, sizeof(*c));
	void *p;

	if (c == NULL)
		return NULL;
	p = mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		free(c);
		return NULL;
	}
	if (mlock(p, CHUNK_BYTES) != 0)
		atomic_store(&all_locked, false);
	(void)madvise(p, CHUNK_BYTES, MADV_DONTDUMP);
	(void)madvise(p, CHUNK_BYTES, MADV_WIPEONFORK);
	c->bytes = p;
	return c;
}

static void *
chunk_take(struct chunk *c, size_t units)
{
	size_t run = 0;

	for (size_t i = c->first_maybe_free; i < CHUNK_UNITS; i++) {
		run = unit_used(c, i) ? 0 : run + 1;
		if (run < units)
			continue;
		mark(c, i + 1 - units, units, true);
		if (units == 1 || c->first_maybe_free == i + 1 - units)
			c->first_maybe_free = i + 1;
		return c->bytes + (i + 1 - units) * UNIT;
	}
	return NULL;
}

void *
secret_alloc(size_t n)
{
	size_t units = (n + UNIT - 1) / UNIT;
	void *p = NULL;

	assert(n > 0 && n <= CHUNK_BYTES);
	mutex_lock(&lock);
	for (struct chunk *c = chunks; c != NULL && p == NULL; c = c->next)
		p = chunk_take(c, units);
	if (p == NULL) {
		struct chunk *c = chunk_new();

		if (c != NULL) {
			c->next = chunks;
			chunks = c;
			p = chunk_take(c, units);
		}
	}
	mutex_unlock(&lock);
	return p;
}

void
secret_free(void *p, size_t n)
{
	uint8_t *at = p;

	if (p == NULL)
		return;
	explicit_bzero(p, n);
	mutex_lock(&lock);
	for (struct chunk *c = chunks; c != NULL; c = c->next) {
		if (at < c->bytes || at >= c->bytes + CHUNK_BYTES)
			continue;
		size_t first = (size_t)(at - c->bytes) / UNIT;

		mark(c, first, (n + UNIT - 1) / UNIT, false);
		if (first < c->first_maybe_free)
			c->first_maybe_free = first;
		break;
	}
	mutex_unlock(&lock);
}

bool
secret_locked(void)
{
	void *p = secret_alloc(1);

	secret_free(p, 1);
	return p != NULL && atomic_load(&all_locked);
}

void
secret_harden_process(void)
{
	const struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

struct secret_text {
	atomic_uint refs;
	size_t n;
	char s[]; /* n characters and a NUL */
};

int
secret_text_new(struct span s, struct secret_text **out, struct err *e)
{
	struct secret_text *t;

	if (s.n > 0 && memchr(s.p, '\0', s.n) != NULL)
		return err_set(e, EINVAL, "a secret holds a NUL byte");
	if (s.n > CHUNK_BYTES / 2)
		return err_set(e, EFBIG, "a secret is longer than %d bytes", CHUNK_BYTES / 2);
	t = secret_alloc(sizeof(*t) + s.n + 1);
	if (t == NULL)
		return err_set(e, ENOMEM, "out of memory for a secret");
	atomic_init(&t->refs, 1);
	t->n = s.n;
	if (s.n > 0)
		memcpy(t->s, s.p, s.n);
	t->s[s.n] = '\0';
	*out = t;
	return 0;
}

struct secret_text *
secret_text_ref(struct secret_text *s)
{
	if (s != NULL)
		(void)atomic_fetch_add(&s->refs, 1);
	return s;
}

void
secret_text_free(struct secret_text *s)
{
	if (s != NULL && atomic_fetch_sub(&s->refs, 1) == 1)
		secret_free(s, sizeof(*s) + s->n + 1);
}

const char *
secret_text_borrow(const struct secret_text *s)
{
	return s->s;
}

size_t
secret_text_len(const struct secret_text *s)
{
	return s->n;
}

static int
check_secret_file(int fd, const char *path, bool check_mode, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_set(e, errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "%s is not a regular file", path);
	if (!check_mode)
		return 0;
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return err_set(e, EACCES,
			       "%s belongs to uid %u; a secret's file must be yours or root's",
			       path, (unsigned)st.st_uid);
	if ((st.st_mode & 077) != 0)
		return err_set(
			e, EACCES,
			"%s has mode %03o; a secret's file must not be open to others (chmod 600)",
			path, (unsigned)st.st_mode & 0777);
	return 0;
}

static int
read_secret(int fd, const char *path, size_t max, struct buf *b, struct err *e)
{
	uint8_t *to;
	ssize_t n;
	int r = buf_reserve(b, max + 1, &to, e);

	if (r < 0)
		return r;
	do {
		n = read(fd, to + b->n, max + 1 - b->n);
		if (n > 0)
			b->n += (size_t)n;
	} while ((n > 0 && b->n <= max) || (n < 0 && errno == EINTR));
	if (n < 0)
		return err_set(e, errno, "%s: %s", path, strerror(errno));
	if (b->n > max)
		return err_set(e, EFBIG, "%s is longer than %zu bytes", path, max);
	return 0;
}

int
secret_text_read_file(const char *path, size_t max, bool check_mode, struct secret_text **out,
		      struct err *e)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | (check_mode ? O_NOFOLLOW : 0);
	int fd = open(path, flags), r;
	AUTO_BUF b;

	buf_init(&b, max + 1);
	if (fd < 0)
		return err_set(e, errno, "%s: %s", path,
			       errno == ELOOP ? "is a symbolic link; name the file itself"
					      : strerror(errno));
	r = check_secret_file(fd, path, check_mode, e);
	if (r == 0)
		r = read_secret(fd, path, max, &b, e);
	(void)close(fd);
	if (r < 0)
		return r;
	while (b.n > 0 && strchr(" \t\r\n", b.p[b.n - 1]) != NULL)
		b.n--;
	return secret_text_new(buf_span(&b), out, e);
}

int
secret_text_take_env(const char *name, struct secret_text **out, struct err *e)
{
	char *value = getenv(name);
	int r;

	if (value == NULL || value[0] == '\0')
		return 0;
	r = secret_text_new(span_str(value), out, e);
	explicit_bzero(value, strlen(value));
	return r;
}

/* SPDX-License-Identifier: MIT */
/* The pin file: see docpin.h. */
#include "fs/docpin.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/jsonscan.h"
#include "crypto/mac.h"

enum { VERSION = 1, FILE_MAX = 16 << 20, POLICY_TEXT_MAX = 4 << 20 };

static const char format[] = "azcryptfs-pins";
static const char ADVICE_ACCEPT[] =
	"find out who changed it; if it is meant, remove the container's entry from the pin file";
static const char ADVICE_OWNER[] = "the pin file must belong to this user, and nobody else may "
				   "write it: chmod go-w";

static int
failed(struct err *e, const char *what)
{
	const int no = errno;

	return err_set(e, no, "%s%s", what,
		       no == ELOOP ? "it is a symbolic link" : strerrordesc_np(no));
}

/* ---- what a policy says ---- */

static int
add_quoted(const char *before, const char *text, size_t n, struct buf *out, struct err *e)
{
	int r = buf_add_str(out, before, e);

	return r == 0 ? jsonscan_quote(span_of(text, n), out, e) : r;
}

static int
compare_paths(const void *a, const void *b)
{
	const struct policy_path *const *x = a, *const *y = b;
	const size_t n = (*x)->n_name < (*y)->n_name ? (*x)->n_name : (*y)->n_name;
	const int c = memcmp((*x)->name, (*y)->name, n);

	return c != 0 ? c : ((*x)->n_name > (*y)->n_name) - ((*x)->n_name < (*y)->n_name);
}

static int
add_paths(const struct container_def *def, struct buf *out, struct err *e)
{
	const struct policy_path **sorted = calloc(def->n_paths + 1, sizeof(*sorted));
	int r = 0;

	if (sorted == NULL)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < def->n_paths; i++)
		sorted[i] = &def->path[i];
	qsort(sorted, def->n_paths, sizeof(*sorted), compare_paths);
	for (size_t i = 0; r == 0 && i < def->n_paths; i++) {
		r = add_quoted("path ", sorted[i]->name, sorted[i]->n_name, out, e);
		if (r == 0)
			r = add_quoted(sorted[i]->kind == CELL_RANDOMIZED ? " Randomized "
									  : " Deterministic ",
				       sorted[i]->dek_id, strlen(sorted[i]->dek_id), out, e);
		if (r == 0)
			r = buf_add_str(out, "\n", e);
	}
	free(sorted);
	return r;
}

static int
add_partition(const struct partition_path *p, struct buf *out, struct err *e)
{
	int r = buf_add_str(out, "partition", e);

	for (size_t i = 0; r == 0 && i < p->n_tokens; i++)
		r = add_quoted(" ", p->token[i], strlen(p->token[i]), out, e);
	return r == 0 ? buf_add_str(out, "\n", e) : r;
}

int
docpin_policy(const struct container_def *def, char out[static DOCPIN_POLICY_LEN + 1],
	      struct err *e)
{
	uint8_t sum[SHA256_LEN];
	AUTO_BUF text;
	int r;

	buf_init(&text, POLICY_TEXT_MAX);
	r = buf_addf(&text, e, "version %d\n", def->policy_version);
	if (r == 0)
		r = add_paths(def, &text, e);
	for (unsigned i = 0; r == 0 && i < def->n_partition; i++)
		r = add_partition(&def->partition[i], &text, e);
	if (r == 0)
		r = sha256(buf_span(&text), sum, e);
	for (size_t i = 0; r == 0 && i < SHA256_LEN; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", sum[i]);
	return r;
}

/* ---- reading ---- */

static int
check_file(int fd, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return failed(e, "");
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "not a regular file");
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022) != 0) {
		(void)err_set(e, EACCES, "somebody else may write it (owner %u, mode %04o)",
			      (unsigned)st.st_uid, st.st_mode & 07777u);
		return err_mark(e, NULL, ADVICE_OWNER);
	}
	return st.st_size > FILE_MAX ? err_set(e, EFBIG, "more than %d bytes", FILE_MAX) : 0;
}

static int
read_all(int fd, struct buf *out, struct err *e)
{
	for (;;) {
		uint8_t *to;
		ssize_t n;
		int r = buf_reserve(out, 4096, &to, e);

		if (r < 0)
			return r;
		n = read(fd, to, 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return failed(e, "");
		if (n == 0)
			return 0;
		out->n += (size_t)n;
	}
}

static int
bad(struct err *e)
{
	return err_set(e, EINVAL, "not a pin file");
}

/* Whether it has the shape that we give it, so that nothing in it is silently passed over. */
static int
check_shape(const json_t *j, struct err *e)
{
	const char *named = json_string_value(json_object_get(j, "format")), *name, *id;
	const json_t *version = json_object_get(j, "version");
	json_t *entries = json_object_get(j, "containers"), *entry, *keys, *key;

	if (named == NULL || strcmp(named, format) != 0 || !json_is_integer(version))
		return bad(e);
	if (json_integer_value(version) != VERSION)
		return err_set(e, EOPNOTSUPP, "a pin file of version %lld, which is not known",
			       (long long)json_integer_value(version));
	if (!json_is_object(entries) || json_object_size(j) != 3)
		return bad(e);
	json_object_foreach(entries, name, entry)
	{
		keys = json_object_get(entry, "keys");
		if (!json_is_string(json_object_get(entry, "policy")) || !json_is_object(keys) ||
		    json_object_size(entry) != 2)
			return bad(e);
		json_object_foreach(keys, id, key) if (!json_is_string(key)) return bad(e);
	}
	return 0;
}

static int
parse(const struct buf *text, json_t **out, struct err *e)
{
	json_t *j = NULL;
	int r;

	if (text->n > 0)
		j = json_loadb(buf_str(text), text->n, JSON_REJECT_DUPLICATES, NULL);
	r = json_is_object(j) ? check_shape(j, e) : bad(e);
	if (r < 0)
		json_decref(j);
	else
		*out = j;
	return r;
}

/* A file that is not there is one that pins nothing. */
static int
load(const char *file, json_t **out, struct err *e)
{
	const int fd = open(file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	AUTO_BUF text;
	int r;

	if (fd < 0 && errno != ENOENT)
		return failed(e, "");
	if (fd < 0) {
		*out = json_pack("{s:s, s:i, s:{}}", "format", format, "version", VERSION,
				 "containers");
		return *out != NULL ? 0 : err_set(e, ENOMEM, "out of memory");
	}
	buf_init(&text, FILE_MAX + 4096);
	r = check_file(fd, e);
	if (r == 0)
		r = read_all(fd, &text, e);
	(void)close(fd);
	return r < 0 ? r : parse(&text, out, e);
}

/* ---- comparing ---- */

static int
compare(const json_t *j, struct docpin_claim *c, struct err *e)
{
	const json_t *entry = json_object_get(json_object_get(j, "containers"), c->container);
	const char *policy = json_string_value(json_object_get(entry, "policy"));

	c->is_new = entry == NULL;
	if (policy != NULL && strcmp(policy, c->policy) != 0) {
		(void)err_set(e, EACCES,
			      "the policy of '%s' is not the one that it is pinned to: nothing is "
			      "written",
			      c->container);
		return err_mark(e, "policy.pin", ADVICE_ACCEPT);
	}
	for (size_t i = 0; i < c->n_keys; i++) {
		const char *pinned = json_string_value(
			json_object_get(json_object_get(entry, "keys"), c->key[i].id));

		c->key[i].is_new = pinned == NULL;
		if (pinned == NULL || strcmp(pinned, c->key[i].fingerprint) == 0)
			continue;
		(void)err_set(e, EACCES,
			      "key '%s' of '%s' is not the one that is pinned: nothing is written",
			      c->key[i].id, c->container);
		return err_mark(e, "policy.dek_changed", ADVICE_ACCEPT);
	}
	return 0;
}

int
docpin_check(const char *file, struct docpin_claim *claim, struct err *e)
{
	json_t *j = NULL;
	int r = load(file, &j, e);

	if (r < 0)
		return err_in(e, "pin file %s", file);
	r = compare(j, claim, e);
	json_decref(j);
	return r;
}

/* ---- writing ---- */

static int
pin(json_t *j, const struct docpin_claim *c, struct err *e)
{
	json_t *entries = json_object_get(j, "containers");
	json_t *entry = json_object_get(entries, c->container), *keys;
	int bad_memory = 0;

	if (entry == NULL) {
		entry = json_pack("{s:s, s:{}}", "policy", c->policy, "keys");
		bad_memory |= json_object_set_new(entries, c->container, entry);
	}
	keys = json_object_get(entry, "keys");
	for (size_t i = 0; i < c->n_keys; i++)
		bad_memory |= json_object_set_new(keys, c->key[i].id,
						  json_string(c->key[i].fingerprint));
	return bad_memory == 0 ? 0 : err_set(e, ENOMEM, "out of memory, or a name that is no text");
}

static int
write_all(int fd, const char *p, size_t n, struct err *e)
{
	while (n > 0) {
		const ssize_t k = write(fd, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return failed(e, "");
		p += k;
		n -= (size_t)k;
	}
	return fsync(fd) < 0 ? failed(e, "") : 0;
}

/* Where the file is: what is kept beside it, and the directory to be synced. */
struct place {
	int dir, lock;
	char leaf[NAME_MAX + 1], temp[NAME_MAX + 1];
};

static int
name_with(const char *leaf, const char *suffix, char out[NAME_MAX + 1], struct err *e)
{
	const int n = snprintf(out, NAME_MAX + 1, "%s%s", leaf, suffix);

	return n > NAME_MAX ? err_set(e, ENAMETOOLONG, "the name is too long") : 0;
}

static int
open_place(const char *file, struct place *p, struct err *e)
{
	const char *slash = strrchr(file, '/'), *leaf = slash != NULL ? slash + 1 : file;
	char lock[NAME_MAX + 1], *dir;
	int r = leaf[0] != '\0' ? name_with(leaf, "", p->leaf, e)
				: err_set(e, EINVAL, "names no file");

	if (r == 0)
		r = name_with(leaf, ".new", p->temp, e);
	if (r == 0)
		r = name_with(leaf, ".lock", lock, e);
	if (r < 0)
		return r;
	dir = slash == NULL ? strdup(".")
			    : strndup(file, slash == file ? 1 : (size_t)(slash - file));
	if (dir == NULL)
		return err_set(e, ENOMEM, "out of memory");
	p->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	if (p->dir < 0)
		return failed(e, "its directory: ");
	p->lock = openat(p->dir, lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
			 0600);
	if (p->lock < 0)
		return failed(e, "its lock (.lock): ");
	while (flock(p->lock, LOCK_EX) < 0)
		if (errno != EINTR)
			return failed(e, "its lock (.lock): ");
	return 0;
}

/* The lock makes the temporary name ours: what a killed process has left there goes. */
static int
replace(const struct place *p, const char *text, struct err *e)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd, r;

	(void)unlinkat(p->dir, p->temp, 0);
	fd = openat(p->dir, p->temp, flags, 0600);
	if (fd < 0)
		return failed(e, "");
	r = write_all(fd, text, strlen(text), e);
	if (close(fd) < 0 && r == 0)
		r = failed(e, "");
	if (r == 0 && renameat(p->dir, p->temp, p->dir, p->leaf) < 0)
		r = failed(e, "");
	if (r == 0 && fsync(p->dir) < 0)
		r = failed(e, "");
	if (r < 0)
		(void)unlinkat(p->dir, p->temp, 0);
	return r;
}

static int
save(const struct place *p, const json_t *j, struct err *e)
{
	char *text = json_dumps(j, JSON_INDENT(2) | JSON_SORT_KEYS);
	int r = text != NULL ? replace(p, text, e) : err_set(e, ENOMEM, "out of memory");

	free(text);
	return r;
}

int
docpin_add(const char *file, struct docpin_claim *claim, struct err *e)
{
	struct place p = { .dir = -1, .lock = -1 };
	json_t *j = NULL;
	bool refused = false;
	int r = open_place(file, &p, e);

	if (r == 0)
		r = load(file, &j, e);
	if (r == 0) {
		r = compare(j, claim, e);
		refused = r < 0;
	}
	if (r == 0)
		r = pin(j, claim, e);
	if (r == 0)
		r = save(&p, j, e);
	json_decref(j);
	if (p.lock >= 0)
		(void)close(p.lock);
	if (p.dir >= 0)
		(void)close(p.dir);
	return r < 0 && !refused ? err_in(e, "pin file %s", file) : r;
}

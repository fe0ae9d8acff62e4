/* SPDX-License-Identifier: MIT */
/*
 * The contract of writes, asserted: see storewrite.h.  What is asserted are
 * promises of our own code; what a user or a service can bring about (a name
 * that is too long, metadata that are too many) is an error.
 */
#include "backend/store/storewrite.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "crypto/random.h"

/* ---- what an object is besides its bytes */

void
store_properties_clear(struct store_properties *p)
{
	for (size_t i = 0; i < STORE_PROPERTIES_N; i++)
		free(p->text[i]);
	for (size_t i = 0; i < p->n_meta; i++) {
		free(p->meta[i].name);
		free(p->meta[i].value);
	}
	free(p->meta);
	*p = (struct store_properties){ .meta = NULL };
}

static struct store_meta *
find(const struct store_properties *p, const char *name)
{
	for (size_t i = 0; i < p->n_meta; i++)
		if (strcasecmp(p->meta[i].name, name) == 0)
			return &p->meta[i];
	return NULL;
}

const char *
store_meta_get(const struct store_properties *p, const char *name)
{
	const struct store_meta *item = find(p, name);

	return item != NULL ? item->value : NULL;
}

static int
no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "out of memory");
}

/* Makes room for one more item, which is not counted yet. */
static struct store_meta *
append(struct store_properties *p, struct err *e)
{
	struct store_meta *meta;

	if (p->n_meta >= STORE_META_ITEMS_MAX) {
		(void)err_set(e, E2BIG, "more than %d metadata items", STORE_META_ITEMS_MAX);
		return NULL;
	}
	meta = reallocarray(p->meta, p->n_meta + 1, sizeof(*meta));
	if (meta == NULL) {
		(void)no_memory(e);
		return NULL;
	}
	p->meta = meta;
	return &meta[p->n_meta];
}

static int
put_item(struct store_properties *p, char *name, char *value, struct err *e)
{
	struct store_meta *item = find(p, name);

	if (item != NULL) {
		free(item->name);
		free(item->value);
	} else {
		item = append(p, e);
		if (item == NULL)
			return -e->no;
		p->n_meta++;
	}
	*item = (struct store_meta){ name, value };
	return 0;
}

int
store_meta_set(struct store_properties *p, const char *name, const char *value, struct err *e)
{
	struct store_meta copy = { strdup(name), strdup(value) };
	int r = copy.name != NULL && copy.value != NULL ? put_item(p, copy.name, copy.value, e)
							: no_memory(e);

	if (r < 0) {
		free(copy.name);
		free(copy.value);
	}
	return r;
}

void
store_meta_remove(struct store_properties *p, const char *name)
{
	struct store_meta *item = find(p, name);
	size_t after;

	if (item == NULL)
		return;
	free(item->name);
	free(item->value);
	after = p->n_meta - (size_t)(item - p->meta) - 1;
	memmove(item, item + 1, after * sizeof(*item));
	p->n_meta--;
}

int
store_property_set(struct store_properties *p, enum store_property which, const char *value,
		   struct err *e)
{
	char *copy = NULL;

	if (value != NULL && strlen(value) > STORE_PROPERTY_MAX)
		return err_set(e, E2BIG, "a property of more than %d bytes", STORE_PROPERTY_MAX);
	if (value != NULL) {
		copy = strdup(value);
		if (copy == NULL)
			return no_memory(e);
	}
	free(p->text[which]);
	p->text[which] = copy;
	return 0;
}

/* ---- what the service can have */

/* An identifier of C#, which the service asks for, in ASCII, which headers ask for. */
static bool
is_good_name(const char *name)
{
	static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";

	return name[0] != '\0' && strchr(first, name[0]) != NULL &&
	       name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
				 "0123456789")] == '\0';
}

/* A line of its own in a header would be another header. */
static bool
is_good_value(const char *value)
{
	for (; *value != '\0'; value++)
		if ((unsigned char)*value < ' ' || *value == '\177')
			return false;
	return true;
}

static int
check_properties(const struct store_properties *p, struct err *e)
{
	size_t total = 0;

	for (size_t i = 0; i < STORE_PROPERTIES_N; i++)
		if (p->text[i] != NULL && !is_good_value(p->text[i]))
			return err_set(e, EINVAL, "a property that is not one line of text");
	if (p->n_meta > STORE_META_ITEMS_MAX)
		return err_set(e, E2BIG, "more than %d metadata items", STORE_META_ITEMS_MAX);
	for (size_t i = 0; i < p->n_meta; i++) {
		if (!is_good_name(p->meta[i].name))
			return err_set(e, EINVAL, "a metadata item cannot be called '%s'",
				       p->meta[i].name);
		if (!is_good_value(p->meta[i].value))
			return err_set(e, EINVAL, "the metadata item %s is not one line of text",
				       p->meta[i].name);
		total += strlen(p->meta[i].name) + strlen(p->meta[i].value);
	}
	if (total > STORE_META_TOTAL_MAX)
		return err_set(e, E2BIG, "%zu bytes of metadata, at most %d are possible", total,
			       STORE_META_TOTAL_MAX);
	return 0;
}

/* ---- the wrappers */

static int
check(struct store *s, const char *name, struct err *e)
{
	const size_t n = strlen(name);

	assert(n > 0);
	assert(e->no == 0);
	if (s->ops->write == NULL)
		return err_set(e, EROFS, "this store can only be read");
	if (n > STORE_NAME_MAX)
		return err_set(e, ENAMETOOLONG, "a name of %zu bytes", n);
	return 0;
}

static void
assert_condition(struct store_condition c)
{
	assert(!c.absent || c.if_match == NULL);
	assert(c.if_match == NULL || c.if_match[0] != '\0');
}

static int
ended(int r, const struct err *e)
{
	assert(r <= 0);
	assert(-r == e->no);
	return r;
}

static int
written(int r, const struct store_written *made, struct store_written *out, const struct err *e)
{
	assert(r < 0 || (made->etag[0] != '\0' && strlen(made->etag) <= STORE_ETAG_MAX));
	if (r == 0 && out != NULL)
		*out = *made;
	return ended(r, e);
}

int
store_get_properties(struct store *s, const char *name, const char *if_match,
		     struct store_properties *out, struct deadline d, struct err *e)
{
	struct store_properties p = { .meta = NULL };
	int r = check(s, name, e);

	assert(if_match == NULL || if_match[0] != '\0');
	if (r == 0)
		r = ended(s->ops->write->properties(s, name, if_match, &p, d, e), e);
	if (r < 0)
		store_properties_clear(&p);
	else
		*out = p;
	return r;
}

int
store_put(struct store *s, const char *name, const struct store_properties *p, struct span bytes,
	  struct store_condition c, struct store_written *out, struct deadline d, struct err *e)
{
	struct store_written made = { .etag = "" };
	int r = check(s, name, e);

	assert_condition(c);
	if (r == 0)
		r = check_properties(p, e);
	if (r < 0)
		return r;
	return written(s->ops->write->put(s, name, p, bytes, c, &made, d, e), &made, out, e);
}

int
store_upload_init(struct store_upload *u, struct err *e)
{
	return random_public((struct room){ u->id, sizeof(u->id) }, e);
}

int
store_put_block(struct store *s, const char *name, const struct store_upload *u,
		const struct store_block *b, struct deadline d, struct err *e)
{
	uint64_t end;
	int r = check(s, name, e);

	assert(b->number < STORE_BLOCKS_MAX);
	assert(b->bytes.n > 0 && b->bytes.n <= STORE_BLOCK_MAX);
	assert(!__builtin_add_overflow(b->off, b->bytes.n, &end) && end <= INT64_MAX);
	return r < 0 ? r : ended(s->ops->write->block(s, name, u, b, d, e), e);
}

int
store_commit_blocks(struct store *s, const char *name, const struct store_upload *u,
		    uint32_t n_blocks, uint64_t size, const struct store_properties *p,
		    struct store_condition c, struct store_written *out, struct deadline d,
		    struct err *e)
{
	struct store_written made = { .etag = "" };
	int r = check(s, name, e);

	assert(n_blocks > 0 && n_blocks <= STORE_BLOCKS_MAX);
	assert(size >= n_blocks && size <= (uint64_t)n_blocks * STORE_BLOCK_MAX);
	assert_condition(c);
	if (r == 0)
		r = check_properties(p, e);
	if (r < 0)
		return r;
	return written(s->ops->write->commit(s, name, u, n_blocks, size, p, c, &made, d, e), &made,
		       out, e);
}

void
store_abandon_blocks(struct store *s, const char *name, const struct store_upload *u)
{
	struct err ignored = { 0 };

	if (check(s, name, &ignored) == 0)
		s->ops->write->abandon(s, name, u);
}

int
store_set_metadata(struct store *s, const char *name, const struct store_properties *p,
		   const char *if_match, struct store_written *out, struct deadline d,
		   struct err *e)
{
	struct store_written made = { .etag = "" };
	int r = check(s, name, e);

	assert(if_match == NULL || if_match[0] != '\0');
	if (r == 0)
		r = check_properties(p, e);
	if (r < 0)
		return r;
	return written(s->ops->write->set_metadata(s, name, p, if_match, &made, d, e), &made, out,
		       e);
}

int
store_copy(struct store *s, const char *from, const char *if_match, const char *to,
	   struct store_condition c, struct store_written *out, struct deadline d, struct err *e)
{
	struct store_written made = { .etag = "" };
	int r = check(s, from, e);

	assert(if_match == NULL || if_match[0] != '\0');
	assert_condition(c);
	if (r == 0)
		r = check(s, to, e);
	if (r < 0)
		return r;
	return written(s->ops->write->copy(s, from, if_match, to, c, &made, d, e), &made, out, e);
}

int
store_delete(struct store *s, const char *name, const char *if_match, struct deadline d,
	     struct err *e)
{
	int r = check(s, name, e);

	assert(if_match == NULL || if_match[0] != '\0');
	return r < 0 ? r : ended(s->ops->write->delete (s, name, if_match, d, e), e);
}

int
store_make_folder(struct store *s, const char *name, struct deadline d, struct err *e)
{
	int r = check(s, name, e);

	return r < 0 ? r : ended(s->ops->write->make_folder(s, name, d, e), e);
}

int
store_remove_folder(struct store *s, const char *name, struct deadline d, struct err *e)
{
	int r = check(s, name, e);

	return r < 0 ? r : ended(s->ops->write->remove_folder(s, name, d, e), e);
}

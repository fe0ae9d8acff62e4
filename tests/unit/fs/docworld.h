/* SPDX-License-Identifier: MIT */
/*
 * A world for tests of the document view: a dir: store made of the vectors of one client, with the
 * local keys that open it.  To be included behind cmocka.h.
 */
#ifndef TESTS_UNIT_FS_DOCWORLD_H
#define TESTS_UNIT_FS_DOCWORLD_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "backend/keys/keyring.h"
#include "backend/store/docdir.h"
#include "fs/docview.h"

struct docworld {
	char dir[64], store[96], keys[96];
	char database[64];
};

static inline json_t *
docworld_json(const char *set, const char *name)
{
	char path[256];
	json_t *j;

	(void)snprintf(path, sizeof(path), "tests/vectors/%s/%s", set, name);
	j = json_load_file(path, 0, NULL);
	if (j == NULL)
		fail_msg("%s cannot be read", path);
	return j;
}

static inline char *
docworld_file(const char *set, const char *name, size_t *n)
{
	char path[256];
	struct stat st;
	char *text;
	FILE *f;

	(void)snprintf(path, sizeof(path), "tests/vectors/%s/%s", set, name);
	f = fopen(path, "rb");
	if (f == NULL || fstat(fileno(f), &st) != 0)
		fail_msg("%s cannot be read", path);
	text = calloc(1, (size_t)st.st_size + 1);
	assert_non_null(text);
	*n = fread(text, 1, (size_t)st.st_size, f);
	(void)fclose(f);
	while (*n > 0 && text[*n - 1] == '\n')
		text[--*n] = '\0';
	return text;
}

static inline void
docworld_write(const char *path, const char *text, size_t n)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && write(fd, text, n) == (ssize_t)n);
	(void)close(fd);
}

static inline void
docworld_put_keys(struct docworld *w, const char *set)
{
	json_t *list = docworld_json(set, "keys/keys.json"), *key, *out = json_object(),
	       *keys = json_array();
	char path[160], *text;
	size_t i, n;

	json_array_foreach(list, i, key)
	{
		char *pem = docworld_file(set, json_string_value(json_object_get(key, "file")), &n);

		(void)snprintf(path, sizeof(path), "%s/%zu.pem", w->dir, i);
		docworld_write(path, pem, n);
		free(pem);
		(void)json_array_append_new(
			keys, json_pack("{s:s,s:s}", "kid",
					json_string_value(json_object_get(key, "keyId")), "pem",
					strrchr(path, '/') + 1));
	}
	(void)json_object_set_new(out, "keys", keys);
	text = json_dumps(out, 0);
	docworld_write(w->keys, text, strlen(text));
	free(text);
	json_decref(out);
	json_decref(list);
}

static inline void
docworld_put_dek(struct docdir_writer *to, const char *database, const json_t *dek)
{
	char *text = json_dumps(dek, JSON_PRESERVE_ORDER);
	struct err e = { 0 };

	assert_int_equal(docdir_put_key(to, database, json_string_value(json_object_get(dek, "id")),
					span_str(text), &e),
			 0);
	free(text);
}

static inline void
docworld_put_document(struct docdir_writer *to, const char *set, const char *name)
{
	struct err e = { 0 };
	size_t n;
	char *text = docworld_file(set, name, &n);

	if (docdir_put_document(to, span_of(text, n), &e) != 0)
		fail_msg("%s", e.text);
	free(text);
}

/* One container with those of the set's documents that are its own. */
static inline void
docworld_put_container(struct docdir_writer *to, const char *database, const char *set,
		       const json_t *container, const json_t *index)
{
	const char *id = json_string_value(json_object_get(container, "id"));
	char *text = json_dumps(container, JSON_PRESERVE_ORDER);
	struct err e = { 0 };
	json_t *entry;
	size_t i;

	assert_int_equal(docdir_begin_container(to, database, id, span_str(text), &e), 0);
	free(text);
	json_array_foreach(index, i, entry)
	{
		if (strcmp(json_string_value(json_object_get(entry, "container")), id) != 0)
			continue;
		docworld_put_document(to, set, json_string_value(json_object_get(entry, "stored")));
	}
	if (strcmp(id, "miskeyed") ==
	    0) /* no document of the index: the client could not read it */
		docworld_put_document(to, set, "documents/miskeyed/01.stored.json");
	assert_int_equal(docdir_end_container(to, &e), 0);
}

static inline void
docworld_make(struct docworld *w, const char *set)
{
	json_t *database = docworld_json(set, "database.json"),
	       *deks = docworld_json(set, "clientencryptionkeys.json"),
	       *containers = docworld_json(set, "containers.json"),
	       *index = docworld_json(set, "index.json"), *x;
	struct docdir_writer *to = NULL;
	struct err e = { 0 };
	size_t i;

	*w = (struct docworld){ .dir = "/tmp/docworld.XXXXXX" };
	assert_non_null(mkdtemp(w->dir));
	(void)snprintf(w->store, sizeof(w->store), "%s/store", w->dir);
	(void)snprintf(w->keys, sizeof(w->keys), "%s/keys.json", w->dir);
	(void)snprintf(w->database, sizeof(w->database), "%s",
		       json_string_value(json_object_get(database, "id")));
	docworld_put_keys(w, set);
	if (docdir_writer_new(w->store, &to, &e) != 0)
		fail_msg("%s", e.text);
	json_array_foreach(json_object_get(deks, "ClientEncryptionKeys"), i, x)
		docworld_put_dek(to, w->database, x);
	json_array_foreach(json_object_get(containers, "DocumentCollections"), i, x)
		docworld_put_container(to, w->database, set, x, index);
	docdir_writer_free(to);
	json_decref(database);
	json_decref(deks);
	json_decref(containers);
	json_decref(index);
}

static inline int
docworld_remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void
docworld_remove(struct docworld *w)
{
	(void)nftw(w->dir, docworld_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A view of it: of the account, a database, or a container ("" = not named). */
static inline struct view *
docworld_view(const struct docworld *w, struct engine *g, const struct docview_config *cfg,
	      const char *database, const char *container)
{
	const struct keyring_config kc = { .ttl_ns = 3600 * NS_PER_S };
	struct provider *provider = NULL;
	struct docstore *store = NULL;
	struct keyring *keys = NULL;
	struct view *v = NULL;
	struct err e = { 0 };

	if (docdir_open(w->store, database, container, &store, &e) != 0 ||
	    jwks_provider_new(w->keys, &provider, &e) != 0 ||
	    keyring_new_take(&kc, &provider, 1, &keys, &e) != 0 ||
	    docview_new_take(g, cfg, store, keys, &v, &e) != 0)
		fail_msg("%s", e.text);
	return v;
}

#endif

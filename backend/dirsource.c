/* SPDX-License-Identifier: MIT */
/* Sources in a local directory: see dirsource.h. */
#include "backend/dirsource.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/store/dir.h"
#include "backend/store/dirmarker.h"
#include "backend/store/docdir.h"

static bool
is_store(const char *dir, enum source_kind *out_kind)
{
	enum dirmarker_kind kind = DIRMARKER_BLOBS;
	const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err unseen = { 0 };
	bool is;

	if (fd < 0)
		return false;
	is = faccessat(fd, dirmarker_file, F_OK, 0) == 0;
	if (is && dirmarker_read(fd, &kind, &unseen) < 0)
		kind = DIRMARKER_BLOBS; /* opening it says what is wrong */
	(void)close(fd);
	*out_kind = kind == DIRMARKER_DOCUMENTS ? SOURCE_DOCUMENTS : SOURCE_BLOBS;
	return is;
}

bool
dirsource_find(const char *path, struct dirsource *out)
{
	char *dir = strdup(path), *slash;
	struct dirsource found = { 0 };
	bool is = dir != NULL && is_store(dir, &found.kind);

	while (dir != NULL && !is) {
		slash = strrchr(dir, '/');
		if (slash == NULL || slash == dir)
			break;
		*slash = '\0';
		is = is_store(dir, &found.kind);
	}
	if (is)
		found.n = strlen(dir);
	else if (path[0] != '/' && path[0] != '\0')
		is = is_store(".", &found.kind);
	free(dir);
	if (is)
		*out = found;
	return is;
}

/* Takes the next part of *rest, "" when there is none. */
static int
take_id(const char **rest, char *out, size_t out_n, struct err *e)
{
	const char *id = *rest + strspn(*rest, "/");
	const size_t n = strcspn(id, "/");

	*rest = id + n;
	if (n >= out_n)
		return err_set(e, EINVAL, "SOURCE holds a name that is too long");
	memcpy(out, id, n);
	out[n] = '\0';
	if (n > 0 && !cosmos_id_is_good(out))
		return err_set(e, EINVAL,
			       "SOURCE holds a name that no database or container can have");
	return 0;
}

static int
open_documents(const char *path, size_t n, struct backend_store *out, struct err *e)
{
	char database[sizeof(out->documents->database)];
	char container[sizeof(out->documents->container)];
	struct docstore *store = NULL;
	const char *rest = path + n;
	char *root;
	int r = take_id(&rest, database, sizeof(database), e);

	if (r == 0)
		r = take_id(&rest, container, sizeof(container), e);
	if (r == 0 && rest[strspn(rest, "/")] != '\0')
		r = err_set(e, EINVAL, "SOURCE names more than a database and a container in it");
	if (r < 0)
		return r;
	root = n > 0 ? strndup(path, n) : strdup(".");
	if (root == NULL)
		return err_set(e, ENOMEM, "out of memory");
	r = docdir_open(root, database, container, &store, e);
	free(root);
	if (r == 0)
		*out = (struct backend_store){ .kind = SOURCE_DOCUMENTS, .documents = store };
	return r;
}

int
dirsource_open(const char *path, struct backend_store *out, struct err *e)
{
	struct dirsource found;
	struct store *store = NULL;
	int r;

	if (dirsource_find(path, &found) && found.kind == SOURCE_DOCUMENTS)
		return open_documents(path, found.n, out, e);
	r = dir_store_open(path, "", &store, e);
	if (r == 0)
		*out = (struct backend_store){ .kind = SOURCE_BLOBS, .blobs = store };
	return r;
}

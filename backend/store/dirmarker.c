/* SPDX-License-Identifier: MIT */
/* What a directory store says that it holds: see dirmarker.h. */
#include "backend/store/dirmarker.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "backend/store/dirmeta.h"
#include "backend/store/dirplace.h"

enum { MARKER_MAX = 4096 };

const char dirmarker_file[] = "azcryptfs-store.json";

static const char *const kinds[] = {
	[DIRMARKER_BLOBS] = "blobs", [DIRMARKER_DOCUMENTS] = "documents"
};

static int
check(const json_t *json, enum dirmarker_kind *out, struct err *e)
{
	const char *format = json_string_value(json_object_get(json, "format"));
	const char *kind = json_string_value(json_object_get(json, "kind"));
	const json_t *version = json_object_get(json, "version");

	if (format == NULL || strcmp(format, "azcryptfs-dir") != 0)
		return err_set(e, EINVAL, "%s is not that of a directory store", dirmarker_file);
	if (json_integer_value(version) != 1)
		return err_set(e, EINVAL, "the directory store is of a version that is not known");
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
		if (kind != NULL && strcmp(kind, kinds[i]) == 0) {
			*out = (enum dirmarker_kind)i;
			return 0;
		}
	return err_set(e, EINVAL, "the directory store holds neither blobs nor documents");
}

int
dirmarker_read(int root, enum dirmarker_kind *out, struct err *e)
{
	char text[MARKER_MAX];
	json_t *json;
	ssize_t n;
	int fd, r = dirplace_openat(root, dirmarker_file, "", false, &fd, e);

	if (r == -ENOENT) {
		err_clear(e);
		return err_set(e, EINVAL, "no directory store: there is no %s", dirmarker_file);
	}
	if (r < 0)
		return r;
	n = pread(fd, text, sizeof(text), 0);
	(void)close(fd);
	if (n < 0)
		return err_set(e, errno, "cannot read %s: %s", dirmarker_file,
			       strerrordesc_np(errno));
	json = dirmeta_json(span_of(text, (size_t)n), e);
	if (json == NULL) {
		err_clear(e);
		return err_set(e, EINVAL, "%s is not JSON as it should be", dirmarker_file);
	}
	r = check(json, out, e);
	json_decref(json);
	return r;
}

const char *
dirmarker_text(enum dirmarker_kind kind)
{
	return kind == DIRMARKER_BLOBS
		       ? "{\"format\":\"azcryptfs-dir\",\"version\":1,\"kind\":\"blobs\"}\n"
		       : "{\"format\":\"azcryptfs-dir\",\"version\":1,\"kind\":\"documents\"}\n";
}

static int
check_kind(int root, enum dirmarker_kind kind, struct err *e)
{
	enum dirmarker_kind found;
	int r = dirmarker_read(root, &found, e);

	if (r == 0 && found != kind)
		r = err_set(e, EINVAL, "the directory store does not hold %s", kinds[kind]);
	return r;
}

int
dirmarker_open(const char *path, enum dirmarker_kind kind, const char *name, int *out,
	       struct err *e)
{
	int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (root < 0)
		return err_set(e, errno, "%s: %s", path, strerrordesc_np(errno));
	r = check_kind(root, kind, e);
	if (r == 0) {
		r = dirplace_openat(root, name, "", true, out, e);
		if (r == -ENOENT) {
			err_clear(e);
			r = err_set(e, EINVAL, "no directory store: there is no directory %s",
				    name);
		}
	}
	(void)close(root);
	return r < 0 ? err_in(e, "%s", path) : 0;
}

/* SPDX-License-Identifier: MIT */
/* Where things lie in a dir: store of documents: see docplace.h. */
#include "backend/store/docplace.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "backend/store/docmatch.h"
#include "crypto/dekrecord.h"

enum { PATH_TEXT_MAX = 8 << 10 };

const char docplace_container_file[] = "container.json";

static int
not_there(struct err *e)
{
	(void)err_set(e, ENOENT, "no such object in the directory store");
	return err_mark(e, "remote.gone", NULL);
}

static int
place_of(int at, const char *name, struct dirplace *out, struct err *e)
{
	return cosmos_id_is_good(name) ? dirplace_of_component(at, span_str(name), out, e)
				       : not_there(e);
}

static int
open_component(int at, const char *name, int *out, struct err *e)
{
	AUTO_DIRPLACE place = DIRPLACE_NONE;
	int r = place_of(at, name, &place, e);

	return r < 0 ? r : dirplace_openat(place.fd, place.end, ".d", true, out, e);
}

int
docplace_database(int databases, const char *database, int *out, struct err *e)
{
	return open_component(databases, database, out, e);
}

int
docplace_container(int databases, const char *database, const char *container, int *out,
		   struct err *e)
{
	int db, containers, r = docplace_database(databases, database, &db, e);

	if (r < 0)
		return r;
	r = dirplace_openat(db, "containers", "", true, &containers, e);
	(void)close(db);
	if (r < 0)
		return r;
	r = open_component(containers, container, out, e);
	(void)close(containers);
	return r;
}

/* ---- resources */

int
docplace_check_id(struct span text, const char *id, struct err *e)
{
	AUTO_BUF found;
	bool any;
	int r;

	buf_init(&found, COSMOS_ID_MAX);
	r = docmatch_string(text, "id", &found, &any, e);
	if (r < 0)
		return r;
	if (any && found.n == strlen(id) && strcmp(buf_str(&found), id) == 0)
		return 0;
	(void)err_set(e, EBADMSG, "belongs to another id");
	return err_mark(e, "integrity.dir", NULL);
}

static int
read_resource(int at, const char *file, const char *suffix, size_t max, const char *id,
	      struct buf *text, struct err *e)
{
	int r;

	buf_reset(text);
	r = dirplace_read_file(at, file, suffix, max, text, e);
	if (r == 0)
		r = docplace_check_id(buf_span(text), id, e);
	if (r < 0)
		buf_reset(text);
	return r;
}

int
docplace_container_text(int container, const char *id, struct buf *text, struct err *e)
{
	return read_resource(container, docplace_container_file, "", CONTAINER_TEXT_MAX, id, text,
			     e);
}

int
docplace_key_text(int keys, const char *id, struct buf *text, struct err *e)
{
	AUTO_DIRPLACE place = DIRPLACE_NONE;
	int r = keys >= 0 ? place_of(keys, id, &place, e) : not_there(e);

	if (r < 0)
		return r;
	return read_resource(place.fd, place.end, docname_suffix, DEK_RECORD_TEXT_MAX, id, text, e);
}

int
docplace_open_half(int documents, uint8_t first, int *out, struct err *e)
{
	char name[3];

	if (documents < 0)
		return not_there(e);
	(void)snprintf(name, sizeof(name), "%02X", first);
	return dirplace_openat(documents, name, "", true, out, e);
}

/* ---- sentences */

int
docplace_in_database(const char *database, const char *rest, struct err *e)
{
	struct err ignored = { 0 };
	AUTO_BUF path;

	buf_init(&path, PATH_TEXT_MAX);
	if (dirname_component(span_str(database), ".d", &path, &ignored) < 0)
		return -e->no;
	return err_in(e, "databases/%s/%s", buf_str(&path), rest);
}

int
docplace_in_container(const char *database, const char *container, const char *rest, struct err *e)
{
	struct err ignored = { 0 };
	AUTO_BUF path;

	buf_init(&path, PATH_TEXT_MAX);
	if (buf_add_str(&path, "containers/", &ignored) < 0 ||
	    dirname_component(span_str(container), ".d/", &path, &ignored) < 0 ||
	    buf_add_str(&path, rest, &ignored) < 0)
		return -e->no;
	return docplace_in_database(database, buf_str(&path), e);
}

int
docplace_in_document(const char *database, const char *container, const struct docname *name,
		     struct err *e)
{
	char text[DOCNAME_TEXT + 1], rest[DOCNAME_TEXT + 32];

	docname_print(name, text);
	(void)snprintf(rest, sizeof(rest), "documents/%.2s/%s%s", text, text, docname_suffix);
	return docplace_in_container(database, container, rest, e);
}

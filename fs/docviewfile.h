/* SPDX-License-Identifier: MIT */
/*
 * What the files of the document view share with each other, and with nobody else: docview.c (the
 * view and its containers), docspot.c (names to stored values), docitem.c (one document as an
 * item), doclist.c (directories), docscan.c (partition key values as names), doclookup.c (names),
 * docopen.c (files), docwrite.c (new versions), docdirs.c (directories without documents).
 */
#ifndef FS_DOCVIEWFILE_H
#define FS_DOCVIEWFILE_H

#include <pthread.h>

#include "fs/docbodies.h"
#include "fs/docpath.h"
#include "fs/docstream.h"
#include "fs/docview.h"
#include "fs/viewwrite.h"

enum {
	DOCVIEW_PAGE_ITEMS = 1000, /* documents asked for at once */
	DOCVIEW_ROWS = 1000,	   /* partitions asked for at once */
	DOCVIEW_NAME_MAX = 4 << 10
};

struct docscans;    /* docscan.c */
struct docmeasures; /* docmeasure.c */
struct docdirs;	    /* docdirs.c */

struct docview {
	struct view base;
	struct engine *engine;
	struct docview_config cfg;
	struct docstore *store; /* owned */
	struct keyring *keys;	/* owned */
	int64_t started_ns;	/* wall time: what streams and small files show as theirs */
	struct docscans *scans;
	struct docmeasures *measures;
	struct docdirs *dirs;
	pthread_mutex_t mu;	   /* rank 3; guards the list */
	struct docview_box *boxes; /* containers that have been looked at */
};

static inline struct docview *
docview_of(struct view *view)
{
	return (struct docview *)(void *)view;
}

/* ---- docview.c ---- */

/*
 * Runs run(arg, box) with the place's container, which is read from the store when it is not known.
 * When the service says on the way that the container was re-created, it is forgotten; with again,
 * it is read once more and run is called once more.  The box is borrowed for the call.
 */
int docview_in_box(struct docview *v, const struct docpath *p, bool again,
		   int (*run)(void *arg, struct docbox *box, struct err *e), void *arg,
		   struct deadline d, struct err *e) MUST_CHECK;

/* The container when it is known already: a reference, or NULL.  Asks nobody. */
struct docbox *docview_known_box(struct docview *v, const struct docpath *p);

int docview_list(struct view *view, const char *dir, struct buf *cursor, struct view_sink sink,
		 struct deadline d, struct err *e) MUST_CHECK;
int docview_lookup(struct view *view, const char *path, struct view_sink sink, struct deadline d,
		   struct err *e) MUST_CHECK;
int docview_open(struct view *view, const char *path, const char *etag, struct view_record *record,
		 struct view_sink now, struct deadline d, struct view_file **out,
		 struct err *e) MUST_CHECK;

void docview_read(struct view_file *file, struct view_read *r);
void docview_read_release(struct view_read *r);
void docview_close(struct view_file *file);

/* ---- docitem.c ---- */

/* One document as the view shows it. */
struct docitem {
	struct buf name;      /* file name */
	struct buf partition; /* header text */
	struct buf id;	      /* stored */
	struct docplain plain;
	uint64_t size;
	bool exact;
	int64_t mtime_ns;
	struct view_record *record; /* a reference */
	struct docbody *body;	    /* a reference, or NULL: no room, or it does not open */
};
void docitem_init(struct docitem *x);
void docitem_clear(struct docitem *x);
#define AUTO_DOCITEM struct docitem CLEANUP(docitem_clear)

/*
 * Unseals a document and names it; the item is overwritten.  tolerant: what does not open is shown
 * with its sealed size, an upper bound; otherwise that is the failure, and a body is made whatever
 * the memory.  -EBADMSG when it has no name at all.
 */
int docitem_make(struct docview *v, struct docspot *s, struct span text, bool tolerant,
		 struct deadline d, struct docitem *out, struct err *e) MUST_CHECK;
/* Whether docitem_make failed for what the document is, so that only this one is lost. */
bool docitem_is_at_fault(const struct err *why);
int docitem_send(const struct docitem *x, const char *name, struct view_sink sink,
		 struct err *e) MUST_CHECK;

/*
 * The key of a version in docbodies, which all views share; etag as the view calls it.  id: any
 * bytes, NUL too.
 */
int docitem_key(const struct docbox *box, const char *partition, struct span id, const char *etag,
		struct buf *out, struct err *e) MUST_CHECK;

unsigned docview_xattrs(struct view *view, const char *etag, uint64_t size,
			struct view_record *record, struct view_xattr out[VIEW_XATTRS_MAX]);

/* ---- docscan.c ---- */

int docscans_new(struct budget *budget, int64_t fresh_ns, struct docscans **out,
		 struct err *e) MUST_CHECK;
void docscans_free(struct docscans *t);
/* Names of the key level below the spot, one page a call, each once. */
int docscan_page(struct docview *v, struct docspot *s, struct buf *cursor, struct view_sink sink,
		 struct deadline d, struct err *e) MUST_CHECK;
/* Whether a complete and fresh scan has the name. */
bool docscan_knows(struct docview *v, struct docspot *s, const char *name);
/* The stored JSON text of the value that the cut name stands for.  -ENOENT. */
int docscan_alias(struct docview *v, struct docspot *s, const char *name, struct deadline d,
		  struct buf *out, struct err *e) MUST_CHECK;

/* Something has been written to the container: no scan of it is good for who comes now. */
void docscan_forget(struct docview *v, const struct docbox *box);

/* ---- docmeasure.c ---- */

int docmeasures_new(int64_t fresh_ns, struct docmeasures **out, struct err *e) MUST_CHECK;
void docmeasures_free(struct docmeasures *m);
/* stream_size=scan: the size of a stream, scanned when it is not known freshly. */
int docmeasure_size(struct docview *v, struct docbox *box, const char *min, const char *max,
		    struct deadline d, uint64_t *out, struct err *e) MUST_CHECK;

void docmeasure_forget(struct docview *v);

/* ---- docwrite.c ---- */

extern const struct view_write_ops docview_write_ops;

/* ---- docdirs.c ---- */

int docdirs_new(struct docdirs **out, struct err *e) MUST_CHECK;
void docdirs_free(struct docdirs *t);
/* Remembers the directory of the path's first n keys.  -ENOSPC. */
int docdirs_add(struct docdirs *t, const struct docspot *s, const struct docpath *p, unsigned n,
		struct err *e) MUST_CHECK;
/* Whether the directory at the spot is remembered; whether any below it is. */
bool docdirs_has(struct docdirs *t, const struct docspot *s, const struct docpath *p);
bool docdirs_any_below(struct docdirs *t, const struct docspot *s);
/* Forgets the directory of the path's first n keys. */
void docdirs_remove(struct docdirs *t, const struct docspot *s, const struct docpath *p,
		    unsigned n);
/* Names of those right below the spot; under a lock. */
int docdirs_each(struct docdirs *t, const struct docspot *s,
		 int (*each)(void *arg, const char *name, struct err *e), void *arg,
		 struct err *e) MUST_CHECK;

/* ---- doclookup.c ---- */

/* Whether any document is at the spot or below it: one query for one item. */
int docview_is_there(struct docview *v, struct docspot *s, struct deadline d, bool *out,
		     struct err *e) MUST_CHECK;

/* The small files' text. */
int docview_text(struct docview *v, const struct docpath *p, struct docbox *box, struct deadline d,
		 struct buf *out, char etag[static 33], struct err *e) MUST_CHECK;
/* A document by a query: one that is where the spot says, or -ENOENT. */
int docview_query_document(struct docview *v, struct docspot *s, struct deadline d, struct buf *out,
			   struct err *e) MUST_CHECK;
/* What the two kinds of names that always exist look like. */
int docview_send_dir(const char *name, struct view_sink sink, struct err *e) MUST_CHECK;
int docview_send_stream(struct docview *v, const char *name, bool measured, uint64_t size,
			struct view_sink sink, struct err *e) MUST_CHECK;

#endif

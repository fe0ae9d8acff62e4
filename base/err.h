/* SPDX-License-Identifier: MIT */
/*
 * Why something failed.  The caller owns the struct and passes it down; who
 * finds the failure fills it once, who passes it on may add where.  Only FUSE
 * callbacks, commands and the tops of background threads log it.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

#include "base/attr.h"

struct err {
	int no; /* positive errno; 0 = no failure recorded */
	const char
		*event; /* stable event name such as "integrity.region", static; NULL = by errno */
	const char *advice;  /* what the user can do, static; NULL = nothing to say */
	char text[320];	     /* what happened; no newline, no secret, no URL query */
	char key[192];	     /* id of the key concerned, or "" */
	char request_id[64]; /* the service's id of the request that failed, or "" */
};

/*
 * Records a failure and returns -no.  no must be positive.  Asserts that *e holds no failure yet:
 * the first cause is the one that counts.  Control characters, bytes that are not UTF-8 and what
 * turns the direction of writing become '?', so that a hostile name cannot forge a log line
 * (base/printable.h).
 */
int err_set(struct err *e, int no, const char *fmt, ...) PRINTF_LIKE(3, 4);

/*
 * Puts "context: " before the text and returns -e->no.  When the room is short the context is
 * cut, the cause kept.
 */
int err_in(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * Sets the event and the advice of a recorded failure (static strings; NULL leaves a field
 * alone); returns -e->no.
 */
int err_mark(struct err *e, const char *event, const char *advice);

/* Notes the key id or the request id that the failure belongs to; long ones are cut. */
void err_key(struct err *e, const char *kid);
void err_request(struct err *e, const char *request_id);

/* Forgets a failure that has been handled. */
void err_clear(struct err *e);

/* "EBADMSG" for 74 and so on; "errno N" for unknown ones.  The string is static. */
const char *err_name(int no);

#endif

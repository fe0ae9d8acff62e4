/* SPDX-License-Identifier: MIT */
/*
 * Members of JSON objects that strangers wrote.  Names are compared exactly; null counts as
 * absent.  What does not fit is -EBADMSG, with a text that names the member.
 */
#ifndef CRYPTO_MEMBER_H
#define CRYPTO_MEMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct json_t; /* jansson's */

/* How a kind of record speaks of its faults. */
struct record {
	const char *what;  /* begins the text: "encryptiondata" */
	const char *event; /* of what is malformed: "integrity.metadata" */
};

/* "WHAT: MEMBER SENTENCE", EBADMSG. */
int member_malformed(const struct record *rec, const char *name, const char *sentence,
		     struct err *e);
/* "WHAT: THING "NAME" is not supported", EOPNOTSUPP, event "policy.unsupported".  name comes from
 * the record: it is quoted, and cut so that the rest of the line is still read. */
int member_unsupported(const struct record *rec, const char *thing, const char *name,
		       struct err *e);

/*
 * One object in at most max bytes, members twice refused, \u0000 in strings let pass.  The caller
 * frees it with json_decref.
 */
int member_root(const struct record *rec, struct span json, size_t max, struct json_t **out,
		struct err *e) MUST_CHECK;

/* Borrowed from the object; NULL when absent. */
struct json_t *member_find(const struct json_t *object, const char *name);

/* Must be there.  Borrowed from the object. */
int member_object(const struct record *rec, const struct json_t *object, const char *name,
		  struct json_t **out, struct err *e) MUST_CHECK;
int member_array(const struct record *rec, const struct json_t *object, const char *name,
		 struct json_t **out, struct err *e) MUST_CHECK;
/* Without a NUL inside, which would hide what follows it. */
int member_string(const struct record *rec, const struct json_t *object, const char *name,
		  const char **out, struct err *e) MUST_CHECK;
int member_integer(const struct record *rec, const struct json_t *object, const char *name,
		   uint64_t min, uint64_t max, uint64_t *out, struct err *e) MUST_CHECK;
/* Canonical base64 of 1..room.n bytes. */
int member_base64(const struct record *rec, const struct json_t *object, const char *name,
		  struct room room, size_t *out_n, struct err *e) MUST_CHECK;

#endif

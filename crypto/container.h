/* SPDX-License-Identifier: MIT */
/*
 * What a container says of itself: its resource id, its partition key, and the client encryption
 * policy.  The text is the service's answer, or a file of an export: hostile input.
 *
 * Source: docs/FORMATS.md, "Container policy".
 */
#ifndef CRYPTO_CONTAINER_H
#define CRYPTO_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/span.h"
#include "crypto/cell.h"

enum {
	CONTAINER_TEXT_MAX = 4 << 20, /* bytes of the resource */
	CONTAINER_PATHS_MAX = 3,      /* of a partition key */
	CONTAINER_TOKENS_MAX = 32,    /* of one such path */
	POLICY_PATHS_MAX = 256,
	COSMOS_ID_MAX = 1023 /* bytes of an id, of whatever kind */
};

/* One path of the policy: everything below this member of the document is sealed. */
struct policy_path {
	char *name; /* the member's name: the path without its first '/', nothing unescaped */
	size_t n_name;
	char *dek_id;
	enum cell_kind kind;
};

struct partition_path { /* "/a/b": the tokens a, b; quoted ones are unquoted */
	char *token[CONTAINER_TOKENS_MAX];
	size_t n_tokens;
	int policy; /* index of the policy path that seals its first token, -1 = none */
};

struct container_def {
	char *id, *rid;
	struct partition_path partition[CONTAINER_PATHS_MAX];
	unsigned n_partition;
	bool by_id;	    /* the partition key is /id: a document's id says it all */
	bool system_key;    /* a migrated container: documents without a key have [] */
	bool has_policy;    /* it seals something */
	int policy_version; /* 1 or 2; 0 without policy */
	struct policy_path *path;
	size_t n_paths;
	int id_policy;	   /* index of the policy path /id, -1 = ids are in clear */
	char *policy_text; /* the policy as indented JSON, ends with a newline; "null\n" */
};

/*
 * -EBADMSG     malformed: not JSON, members twice, no _rid, no usable partition key, a path that
 *              is not "/" and one name, two paths alike, an unknown algorithm, a key id that the
 *              service would not allow, /id or a partition key sealed under version 1 or randomized
 *              (event "integrity.policy")
 * -EOPNOTSUPP  policyFormatVersion above 2 (the text names it), or an encryptionType that is
 *              neither Deterministic nor Randomized, "Plaintext" included (event
 *              "policy.unsupported")
 * A policy that is null, missing, or seals no path is none.  On success the caller clears *out.
 */
int container_def_parse(struct span json, struct container_def *out, struct err *e) MUST_CHECK;
void container_def_clear(struct container_def *d);
#define AUTO_CONTAINER_DEF struct container_def CLEANUP(container_def_clear)

/* The policy path of that member name (exact bytes), -1 = it is in clear. */
int container_def_find(const struct container_def *d, struct span name);
/* Whether both say the same of partition key and policy. */
bool container_def_same(const struct container_def *a, const struct container_def *b);

/* Whether an id of a database, container or key is one that the service could have: 1..255
 * bytes, valid UTF-8, no control character, none of / \ ? #, and neither "." nor "..". */
bool cosmos_id_is_good(const char *id);

#endif

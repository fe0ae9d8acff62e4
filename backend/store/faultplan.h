/* SPDX-License-Identifier: MIT */
/* What a fault decorator is to do, and the decorator itself: see fault.h. */
#ifndef BACKEND_STORE_FAULTPLAN_H
#define BACKEND_STORE_FAULTPLAN_H

#include <stdatomic.h>

#include "backend/store/storewrite.h"

enum { FAULT_RULES_MAX = 32 };

enum fault_op {
	FAULT_LIST,
	FAULT_PROBE,
	FAULT_HEAD,
	FAULT_GET,
	FAULT_PUT, /* from here on, what writes; properties last, which reads */
	FAULT_BLOCK,
	FAULT_COMMIT,
	FAULT_META,
	FAULT_COPY,
	FAULT_DELETE,
	FAULT_FOLDER,
	FAULT_PROPERTIES,
	FAULT_OPS
};
extern const char *const faultplan_ops[FAULT_OPS];

enum fault_action { FAULT_ERRNO, FAULT_DELAY, FAULT_CUT, FAULT_FLIP, FAULT_STALL, FAULT_LOST };

struct fault_rule {
	enum fault_op op;
	unsigned nth; /* 0 = every call */
	bool onwards;
	enum fault_action action;
	uint64_t arg;
};

struct faultplan {
	size_t n;
	struct fault_rule rule[FAULT_RULES_MAX];
};

struct fault {
	struct store store;
	struct store *inner;
	atomic_uint calls[FAULT_OPS];
	struct faultplan plan;
};

/* What is left to be done about one call, while or after the inner store does it. */
struct fault_call {
	bool cuts, flips, lost;
	uint64_t cut_at, flip_at;
};

/* -EINVAL names the bad rule. */
int faultplan_parse(const char *script, struct faultplan *out, struct err *e) MUST_CHECK;

/* Counts the call and does what the rules say about it; *call is what remains. */
int faultplan_apply(struct fault *f, enum fault_op op, struct fault_call *call, struct deadline d,
		    struct err *e) MUST_CHECK;

extern const struct store_write_ops faultwrite_ops;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What is there, by HEAD; and what has become of a write whose answer was lost.
 */
#ifndef BACKEND_STORE_AZLOOK_H
#define BACKEND_STORE_AZLOOK_H

#include "backend/store/azrequest.h"

enum azlook_copy { AZLOOK_NO_COPY, AZLOOK_PENDING, AZLOOK_COPIED, AZLOOK_FAILED };

struct azlook {
	bool found;
	struct store_written version; /* mtime_ns: of the metadata, where there is one */
	uint64_t size;
	bool folder;
	enum azlook_copy copy; /* the last one to this blob */
	char copy_id[64];
	struct store_properties p;
};
void azlook_clear(struct azlook *l);
#define AUTO_AZLOOK struct azlook CLEANUP(azlook_clear)

/* Looks.  Nothing there is no failure; another version than if_match (NULL: any) is -ESTALE. */
int azlook_head(const struct azservice *s, const char *url, const char *if_match,
		struct azlook *out, struct deadline d, struct err *e) MUST_CHECK;

/* One write of one name, as far as it matters for finding out whether it was carried out. */
struct azlook_write {
	const struct azservice *service;
	const char *url;
	struct store_condition c;
	const struct store_properties *p; /* what was to be there; NULL: see is_ours */
	/* Whether what is there is what was sent. */
	bool (*is_ours)(const struct azlook_write *w, const struct azlook *there);
};

/* When writing has to stop so that there is time to look. */
struct deadline azlook_before(struct deadline d);

/* For is_ours: the same envelope.  Its content key was drawn for this write. */
bool azlook_same_envelope(const struct azlook_write *w, const struct azlook *there);

/*
 * Sends q.  0 when the write was carried out: so the answer says, or so it turns out after an
 * answer was lost.  Otherwise as storewrite.h has it.
 */
int azlook_send(const struct azlook_write *w, struct azrequest *q, struct store_written *out,
		struct deadline d, struct err *e) MUST_CHECK;

/*
 * The same after a request that failed with r (of -errno, in e) in so many attempts (0 = unknown).
 * 0 when it was carried out, and e is cleared; r, or why it cannot have been.
 */
int azlook_settle(const struct azlook_write *w, int r, unsigned attempts, struct store_written *out,
		  struct deadline d, struct err *e) MUST_CHECK;

#endif

/* SPDX-License-Identifier: MIT */
/* What may be opened at all: by what the blob is, by its protocol, by its binding tag. */
#ifndef FS_BLOBCHECK_H
#define FS_BLOBCHECK_H

#include "crypto/bind.h"
#include "fs/blobfile.h"

/*
 * -ENODATA archived; -EOPNOTSUPP sealed by the service with a customer's key; -EACCES not sealed.
 */
int blobcheck_entry(const struct blobview *v, const struct store_entry *entry,
		    struct err *e) MUST_CHECK;
/* -EACCES: protocol 1.0, unless it was asked for. */
int blobcheck_protocol(const struct blobview *v, const struct envelope *env,
		       struct err *e) MUST_CHECK;
/*
 * The binding tag (BIND_RAW_LEN bytes, NULL: none) of a version whose key is at hand.  *bound: it
 * vouches for the layout.  A tag of another key came along from an older content, and says nothing
 * of this one.  -EBADMSG, -EACCES.
 */
int blobcheck_binding(const struct blobview *v, const struct envelope *env, const struct layout *l,
		      const struct key_ref *key, const uint8_t *tag, bool *bound,
		      struct err *e) MUST_CHECK;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Where secrets live.
 *
 * secret_alloc hands out small blocks from one arena that is locked into
 * memory and left out of core dumps, as far as the limits allow (the program
 * asks secret_locked() and warns once).  secret_free wipes.
 *
 * A secret_text is a string that wipes itself.  There is deliberately no
 * member to hand to %s: secret_text_borrow is the only way to the characters,
 * and a search for it shows every place where a secret is used.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

/*
 * Zeroed memory for n bytes of key material; NULL when there is none left.  Freed with
 * secret_free, same n.
 */
void *secret_alloc(size_t n);
void secret_free(void *p, size_t n);

/* Whether the arena (made at first use) is locked into memory. */
bool secret_locked(void);

/*
 * Turns off core dumps and other processes' access to this one (RLIMIT_CORE 0, not dumpable);
 * call before any secret is read.
 */
void secret_harden_process(void);

struct secret_text; /* opaque, immutable, NUL-terminated */

/* Copies n bytes (NUL is not allowed inside: -EINVAL).  The caller frees with secret_text_free. */
int secret_text_new(struct span s, struct secret_text **out, struct err *e) MUST_CHECK;
struct secret_text *secret_text_ref(
	struct secret_text *s);		      /* another reference to the same; NULL stays NULL */
void secret_text_free(struct secret_text *s); /* drops one reference; NULL is fine */
const char *secret_text_borrow(const struct secret_text *s); /* good while the reference is held */
size_t secret_text_len(const struct secret_text *s);

static inline void
secret_text_freep(struct secret_text **s)
{
	secret_text_free(*s);
}

#define AUTO_SECRET_TEXT struct secret_text *CLEANUP(secret_text_freep)

/*
 * Reads a secret from a file: regular, owned by this user or root, not readable or writable by
 * group and others (-EACCES and a sentence saying which), at most max bytes (-EFBIG), opened
 * without following a link at its end.  Trailing white space is dropped.  -ENOENT and so on for
 * the rest.  check_mode false skips the mode check (for files that the platform projects, such as
 * a federated token).
 */
int secret_text_read_file(const char *path, size_t max, bool check_mode, struct secret_text **out,
			  struct err *e) MUST_CHECK;

/*
 * Takes a secret out of the environment: copies it, and overwrites the original where it stands,
 * since
 * /proc/PID/environ shows that very memory.  *out stays as it is when the variable is unset or
 * empty.
 */
int secret_text_take_env(const char *name, struct secret_text **out, struct err *e) MUST_CHECK;

#endif
